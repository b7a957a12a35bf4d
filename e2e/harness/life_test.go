package harness

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// Each step is begun until that is taken, and then no more, and the next comes when it is done.
func TestALifeGoesOnStepByStep(t *testing.T) {
	var asked []string
	answers := func(what string, errs ...error) func(context.Context) error {
		return func(context.Context) error {
			asked = append(asked, what)
			if len(errs) == 0 {
				t.Fatalf("it asked %q, the last of which was not to come", asked)
			}
			err := errs[0]
			errs = errs[1:]
			return err
		}
	}
	no := errors.New("not yet")
	l := &Life{Of: "shop", Steps: []Step{
		{Name: "create", Begin: answers("begin", no, nil), Done: answers("look", no, nil)},
		{Name: "delete", Begin: answers("end", nil), Done: answers("look again", nil)},
	}}
	var says []string
	for err := l.GoOn(t.Context(), t); err != nil; err = l.GoOn(t.Context(), t) {
		says = append(says, err.Error())
	}
	if want := []string{"begin", "begin", "look", "look", "end", "look again"}; !slices.Equal(asked, want) {
		t.Errorf("it asked %q, want %q", asked, want)
	}
	if want := []string{"shop: create is refused: not yet", "shop: create: not yet", "shop: create is done", "shop: delete is done"}; !slices.Equal(says, want) {
		t.Errorf("it says %q, want %q", says, want)
	}
}
