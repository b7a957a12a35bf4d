// Package lifecycle creates, waits for and deletes objects that come and go step by step,
// and say in their status how far that is.
//
// It knows phases and conditions, and no kind: each one is described by a Kind.
package lifecycle

import (
	"context"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/listing"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

// Object is a pointer to an object; nil is none.
type Object interface {
	comparable
	client.Object
}

// Kind is a kind of such objects.
type Kind[T Object] struct {
	listing.Kind
	// Command is the group of the commands on them: marina cluster.
	Command string
	// New and List make an empty object and an empty list.
	New  func() T
	List func() client.ObjectList
	// Status reads an object's.
	Status func(T) Status
	// Up is what one is waited for to be if nothing else is said.
	Up Goal
	// Phases are the words that --for=phase= takes, and Conditions those that
	// --for=condition= is most useful with.
	Phases, Conditions []string
	// Complete completes their names, at most limit or any number if it is zero.
	Complete func(open session.Opener, limit int) cobra.CompletionFunc
	// Correct is what to do about one that does not get where it is waited for; empty, or nil,
	// for the advice that fits all.
	Correct func(T) string
	// Begun and Next are the commands for a person whose new object is there, and is Up.
	Begun, Next func(T) string
}

// Status is what the status of all of them has.
type Status struct {
	Phase, Message     string
	ObservedGeneration int64
	Conditions         []metav1.Condition
	// Operation names the one that runs on it, if there is one.
	Operation string
	// Wanted is the release that the spec asks for, of kinds of which a Goal may have a Version.
	Wanted string
}

// Words are phases as texts.
func Words[P ~string](phases ...P) []string {
	words := make([]string, 0, len(phases))
	for _, phase := range phases {
		words = append(words, string(phase))
	}
	return words
}

// Help is what a command says of itself.
type Help struct{ Short, Long, Example string }

// state is what a goal is compared with.
type state struct {
	Status
	uid        types.UID
	generation int64
	deleting   bool
}

// stateOf is nil for no object.
func (k *Kind[T]) stateOf(object T) *state {
	var none T
	if object == none {
		return nil
	}
	return &state{
		Status: k.Status(object), uid: object.GetUID(), generation: object.GetGeneration(),
		deleting: object.GetDeletionTimestamp() != nil,
	}
}

// read reads one of the session's namespace.
func (k *Kind[T]) read(ctx context.Context, s *session.Session, name string) (T, error) {
	object := k.New()
	return object, s.Read(ctx, name, object, k.Missing)
}
