// Package operation is how Operations come to be, run and end, whatever they are about:
// which one runs is decided by what is wished for and by those that there are, each step
// is told by what is observed, and all of it is written down before anything is done.
//
// It knows none of the kinds: each is a Target to it.
package operation
