// Package tutorial does what the documentation tells a newcomer to do: it runs the
// commands of docs/tutorial and of the README's first steps as they stand there, and
// compares what they print with what is shown. It knows nothing of Marina but the
// names of these files.
//
// A fenced block of such a page says in its first word what it is:
//
//	sh      commands for a terminal
//	text    what the commands of the block before print, all of it
//	keys    keys to press in a terminal: Ctrl-C
//
// and after it, if need be:
//
//	terminal=1      in which terminal; without it, that of the block before
//	keeps-running   the last command does not end by itself; the text after it is
//	                what it has printed so far
//
// So "text terminal=1" is what the terminal has printed since it was last looked at.
//
// In a text, … stands for anything within a line, and on a line of its own for any
// number of lines, also none. Spaces count as one: columns are as wide as what is in
// them. Everything else is to be there to the letter.
package tutorial
