package operation

import (
	"fmt"
	"hash/fnv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Target is the object that Operations are about, as it is found in one pass.
type Target interface {
	// Subject is the object.
	Subject() Subject
	// Wanted is what the spec asks for and has not been carried out; nil for nothing.
	Wanted() *Wish
	// Refused reports whether a person has to change something first: what has failed is
	// not begun again before.
	Refused() bool
	// Admit tells what becomes of an Operation that has not begun and never will; no phase
	// if it may begin.
	Admit(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string)
	// Resumes reports whether an Operation that was asked for comes before what the spec
	// asks for.
	Resumes(op *v1alpha1.Operation) bool
	// Merges reports whether an Operation that runs takes up a spec that is newer than it.
	Merges(op *v1alpha1.Operation) bool
	// Judge tells whether an Operation that runs has come to an end, and how.
	Judge(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string)
	// Steps are those of an Operation and which of them are done, by what is observed: a
	// restart of Marina in the middle finds the same. Note is what there is to say about
	// all of them.
	Steps(op *v1alpha1.Operation) (steps []Step, note string)
}

// Subject tells which object a Target is.
type Subject struct {
	Kind, Namespace, Name string
	UID                   types.UID
	Generation            int64
	// Labels are those of Operations on it.
	Labels map[string]string
}

// Wish is what a spec asks for.
type Wish struct {
	Kind v1alpha1.OperationType
	// Version is that of an Upgrade.
	Version string
	// Generation of the spec that it is of.
	Generation int64
}

// Is reports whether an Operation is of the kind that is wished for.
func (w Wish) Is(op *v1alpha1.Operation) bool {
	return w.Kind == op.Spec.Type && w.Version == op.Spec.Version
}

// OperationName is that of the Operation that carries out a wish, at an attempt. It follows from what it is
// about, so that a record that was made and is not seen yet is not made twice.
func (s Subject) OperationName(want *Wish, attempt int) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %s %d %d", s.UID, want.Kind, want.Generation, attempt)
	return fmt.Sprintf("%s-%s-%s", s.Name, strings.ToLower(string(want.Kind)), rand.SafeEncodeString(fmt.Sprintf("%08x", h.Sum32())))
}
