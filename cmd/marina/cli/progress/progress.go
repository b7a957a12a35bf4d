// Package progress shows what a command waits for: on a terminal a few lines that
// are kept up to date, with the time that has passed; anywhere else a line for
// each change, so that a log stays readable.
//
// It knows nothing of what is waited for.
package progress

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
	"k8s.io/utils/clock"
)

// interval is how often the time on a terminal moves on.
const interval = time.Second

// Printer shows the progress of one thing. Its methods may be called from several
// goroutines.
type Printer struct {
	out   io.Writer
	size  func() (width, height int) // of the terminal, or nil if there is none
	clock clock.WithTicker
	title string
	start time.Time

	mu             sync.Mutex
	phase, message string
	steps          []Step
	lines          int // how many lines of the terminal are drawn
	stop           func()
}

// New prints to out, normally os.Stderr: standard output is for results.
func New(out io.Writer, title string) *Printer {
	return newPrinter(out, title, terminalSize(out), clock.RealClock{})
}

// OnTerminal tells whether a person is likely to watch what is written to w.
func OnTerminal(w io.Writer) bool { return terminalSize(w) != nil }

// Advise tells a person what comes next. A script has not asked.
func Advise(w io.Writer, format string, args ...any) {
	if OnTerminal(w) {
		fmt.Fprintf(w, format+"\n", args...)
	}
}

func terminalSize(w io.Writer) func() (width, height int) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() (width, height int) {
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}
}

func newPrinter(out io.Writer, title string, size func() (width, height int), c clock.WithTicker) *Printer {
	p := &Printer{out: out, size: size, clock: c, title: title, start: c.Now(), stop: func() {}}
	if size != nil {
		p.stop = p.tick()
	}
	return p
}

// OnTerminal tells whether a person is likely to watch.
func (p *Printer) OnTerminal() bool { return p.size != nil }

// Update shows a phase and, if there is one, a message. The same again shows
// nothing new.
func (p *Printer) Update(phase, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(phase, message, p.steps)
}

// Steps shows the parts of what is waited for, in their order; none if there are
// no such parts.
func (p *Printer) Steps(steps []Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(p.phase, p.message, steps)
}

// Show does both at once.
func (p *Printer) Show(phase, message string, steps []Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(phase, message, steps)
}

func (p *Printer) show(phase, message string, steps []Step) {
	newPhase, newMessage := phase != p.phase, message != p.message
	before := p.steps
	p.phase, p.message, p.steps = phase, message, slices.Clone(steps)
	if p.size != nil {
		if newPhase || newMessage || !slices.Equal(before, steps) {
			p.draw()
		}
		return
	}
	lines := changed(before, steps)
	logSteps := func() {
		for _, step := range lines {
			p.log(step.Name, step.text())
		}
	}
	// How the last steps ended comes before what came of them all.
	over := len(before) > 0 && !slices.ContainsFunc(steps, func(s Step) bool { return s.State == Running || s.State == Pending })
	if over {
		logSteps()
	}
	// A message that is over is no news: the step that said it tells how it went on.
	if unsaid := p.unsaid(); newPhase || newMessage && unsaid != "" {
		p.log(phase, unsaid)
	}
	if !over {
		logSteps()
	}
}

// log writes a line with what of the texts there is.
func (p *Printer) log(texts ...string) {
	texts = slices.DeleteFunc(append([]string{p.title}, texts...), func(s string) bool { return s == "" })
	fmt.Fprintf(p.out, "%s (%s)\n", strings.Join(texts, ": "), p.Elapsed())
}

// unsaid is the message, unless a step says it.
func (p *Printer) unsaid() string {
	if slices.ContainsFunc(p.steps, func(s Step) bool { return s.Message != "" && strings.Contains(p.message, s.Message) }) {
		return ""
	}
	return p.message
}

// Close takes the lines off a terminal again. What came of it is said by the
// caller. The Printer is not used any more afterwards.
func (p *Printer) Close() {
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines > 0 {
		fmt.Fprint(p.out, p.erase())
	}
}

// Leave is a Close that leaves the steps on a terminal, for a person to look at
// what happened.
func (p *Printer) Leave() {
	p.Close()
	if p.size == nil {
		return
	}
	for _, line := range p.stepLines() {
		fmt.Fprintln(p.out, line)
	}
}

// Elapsed is the time since New, in whole seconds.
func (p *Printer) Elapsed() time.Duration {
	return p.clock.Since(p.start).Truncate(time.Second)
}

// tick redraws as time goes by, until the function that it returns has been
// called.
func (p *Printer) tick() (stop func()) {
	ticker := p.clock.NewTicker(interval)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C():
				p.redraw()
			}
		}
	}()
	return sync.OnceFunc(func() { close(quit); <-done })
}

func (p *Printer) redraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines > 0 {
		p.draw()
	}
}
