package progress

import (
	"fmt"
	"strings"
	"time"
)

// draw replaces what is drawn. Times stand before messages, which are cut where
// the terminal ends: a line that wraps could not be replaced, nor one that has
// scrolled away, so that steps that do not fit are left out.
func (p *Printer) draw() {
	width, height := p.size()
	lines := p.stepLines()
	message := p.unsaid()
	if len(lines)+1 > height {
		lines, message = nil, p.message
	}
	title := fmt.Sprintf("%s  %s  %s", p.title, p.phase, p.lasted())
	if message != "" {
		title += "  " + oneLine(message)
	}
	lines = append([]string{cut(title, width-1)}, lines...)
	fmt.Fprint(p.out, p.erase()+strings.Join(lines, "\n"))
	p.lines = len(lines)
}

// lasted is how long it has gone on: no shorter than any of its steps, which may have
// begun before this command, and on a clock of whole seconds.
func (p *Printer) lasted() time.Duration {
	now, lasted := p.clock.Now(), p.Elapsed()
	for _, step := range p.steps {
		if !step.Started.IsZero() {
			lasted = max(lasted, now.Sub(step.Started).Truncate(time.Second))
		}
	}
	return lasted
}

// erase goes to the beginning of what is drawn and clears all below.
func (p *Printer) erase() string {
	switch p.lines {
	case 0:
		return ""
	case 1:
		return "\r\x1b[J"
	default:
		return fmt.Sprintf("\r\x1b[%dA\x1b[J", p.lines-1)
	}
}

// stepLines are a line for each step: how it is, its name, its time and what it
// says.
func (p *Printer) stepLines() []string {
	width, _ := p.size()
	longest := 0
	for _, step := range p.steps {
		longest = max(longest, len([]rune(step.Name)))
	}
	var lines []string
	for _, step := range p.steps {
		line := fmt.Sprintf("  %s %-*s  %4s  %s", marks[step.State], longest, step.Name, step.took(p.clock.Now()), oneLine(step.Message))
		lines = append(lines, cut(strings.TrimRight(line, " "), width-1))
	}
	return lines
}

// oneLine is s without its line breaks.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cut shortens s to the given number of characters.
func cut(s string, width int) string {
	runes := []rune(s)
	if width < 1 || len(runes) <= width {
		return s
	}
	return string(runes[:width-1]) + "…"
}
