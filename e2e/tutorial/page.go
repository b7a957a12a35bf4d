package tutorial

import (
	"errors"
	"fmt"
	"strings"
)

// kind is what a block is: its first word.
type kind string

const (
	commands kind = "sh"
	output   kind = "text"
	keys     kind = "keys"
)

// ctrlC is all that the keys of a page can be.
const ctrlC = "Ctrl-C"

// block is a fenced block of a page.
type block struct {
	Kind     kind
	Terminal string
	// KeepsRunning tells that the commands do not end by themselves.
	KeepsRunning bool
	// Line of the page where the block begins.
	Line int
	Text string
}

const fence = "```"

// parse returns the blocks of a page of Markdown. A block that cannot be run or
// compared is an error, so that none is left out by mistake.
func parse(page string) ([]block, error) {
	var blocks []block
	var current *block
	terminal, ran := "", false
	for i, line := range strings.Split(page, "\n") {
		info, fenced := strings.CutPrefix(line, fence)
		switch {
		case fenced && current == nil:
			b, err := begin(info, terminal)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			b.Line, terminal = i+1, b.Terminal
			current = &b
		case fenced:
			if err := current.check(); err != nil {
				return nil, fmt.Errorf("line %d: %w", current.Line, err)
			}
			ran = ran || current.Kind == commands
			blocks = append(blocks, *current)
			current = nil
		case current != nil:
			current.Text += line + "\n"
		}
	}
	if current != nil {
		return nil, fmt.Errorf("line %d: a block that does not end", current.Line)
	}
	if !ran {
		return nil, errors.New("no commands")
	}
	return blocks, nil
}

// begin reads what a block says of itself.
func begin(info, terminal string) (block, error) {
	words := strings.Fields(info)
	if len(words) == 0 {
		return block{}, fmt.Errorf("a block that does not say what it is: %s, %s or %s", commands, output, keys)
	}
	b := block{Kind: kind(words[0]), Terminal: terminal}
	for _, word := range words[1:] {
		if name, found := strings.CutPrefix(word, "terminal="); found {
			b.Terminal = name
		} else if word == "keeps-running" && b.Kind == commands {
			b.KeepsRunning = true
		} else {
			return block{}, fmt.Errorf("%q means nothing in a block of kind %q", word, b.Kind)
		}
	}
	if b.Terminal == "" {
		return block{}, errors.New("the first block has to say in which terminal it is")
	}
	return b, nil
}

func (b block) check() error {
	switch {
	case b.Kind != commands && b.Kind != output && b.Kind != keys:
		return fmt.Errorf("blocks are %s, %s or %s, not %q", commands, output, keys, b.Kind)
	case strings.TrimSpace(b.Text) == "":
		return errors.New("an empty block")
	case b.Kind == keys && strings.TrimSpace(b.Text) != ctrlC:
		return fmt.Errorf("the only keys are %s, not %q", ctrlC, strings.TrimSpace(b.Text))
	default:
		return nil
	}
}
