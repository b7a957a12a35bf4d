// Package progress shows what a command waits for: on a terminal one line that is
// kept up to date, with the time that has passed; anywhere else a line for each
// change, so that a log stays readable.
//
// It knows nothing of what is waited for.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
	"k8s.io/utils/clock"
)

// interval is how often the time on a terminal moves on.
const interval = time.Second

// clearLine goes to the first column and clears the line.
const clearLine = "\r\x1b[K"

// Printer shows the progress of one thing. Its methods may be called from several
// goroutines.
type Printer struct {
	out   io.Writer
	width func() int // columns of the terminal, or nil if there is none
	clock clock.WithTicker
	title string
	start time.Time

	mu             sync.Mutex
	phase, message string
	drawn          bool
	stop           func()
}

// New prints to out, normally os.Stderr: standard output is for results.
func New(out io.Writer, title string) *Printer {
	return newPrinter(out, title, terminalWidth(out), clock.RealClock{})
}

// OnTerminal tells whether a person is likely to watch what is written to w.
func OnTerminal(w io.Writer) bool { return terminalWidth(w) != nil }

func terminalWidth(w io.Writer) func() int {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
}

func newPrinter(out io.Writer, title string, width func() int, c clock.WithTicker) *Printer {
	p := &Printer{out: out, width: width, clock: c, title: title, start: c.Now(), stop: func() {}}
	if width != nil {
		p.stop = p.tick()
	}
	return p
}

// Update shows a phase and, if there is one, a message. The same again shows
// nothing new.
func (p *Printer) Update(phase, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if phase == p.phase && message == p.message {
		return
	}
	p.phase, p.message = phase, message
	if p.width != nil {
		p.draw()
		return
	}
	line := p.title + ": " + phase
	if message != "" {
		line += ": " + message
	}
	fmt.Fprintf(p.out, "%s (%s)\n", line, p.elapsed())
}

// Close takes the line off a terminal again. What came of it is said by the
// caller. The Printer is not used any more afterwards.
func (p *Printer) Close() {
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.out, clearLine)
	}
}

// Elapsed is the time since New, in whole seconds.
func (p *Printer) Elapsed() time.Duration {
	return p.clock.Since(p.start).Truncate(time.Second)
}

func (p *Printer) elapsed() string { return p.Elapsed().String() }

// draw replaces the line. The time stands before the message, which is cut where
// the terminal ends: a line that wraps could not be replaced.
func (p *Printer) draw() {
	line := fmt.Sprintf("%s  %s  %s", p.title, p.phase, p.elapsed())
	if p.message != "" {
		line += "  " + p.message
	}
	fmt.Fprint(p.out, clearLine+cut(line, p.width()-1))
	p.drawn = true
}

// tick redraws the line as time goes by, until the function that it returns has
// been called.
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
	if p.drawn {
		p.draw()
	}
}

// cut shortens s to the given number of characters.
func cut(s string, width int) string {
	runes := []rune(s)
	if width < 1 || len(runes) <= width {
		return s
	}
	return string(runes[:width-1]) + "…"
}
