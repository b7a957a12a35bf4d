// Package dryrun is the flag --dry-run, with kubectl's meaning.
package dryrun

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

// Mode is a value of --dry-run.
type Mode string

const (
	// None does it.
	None Mode = "none"
	// Client makes no request.
	Client Mode = "client"
	// Server has the API server check it and do nothing.
	Server Mode = "server"
)

// Flag is --dry-run of one command.
type Flag struct {
	Mode
	allowed []Mode
}

// AddTo defines the flag. What the command can do besides none is described by
// help.
func (f *Flag) AddTo(cmd *cobra.Command, help string, allowed ...Mode) {
	f.allowed = append([]Mode{None}, allowed...)
	cmd.Flags().StringVar((*string)(&f.Mode), "dry-run", string(None), help)
	_ = cmd.RegisterFlagCompletionFunc("dry-run", session.CompleteFixed(f.words()...))
}

// Check refuses an unknown value, and to wait for what is not done.
func (f *Flag) Check(cmd *cobra.Command, wait bool) error {
	if !slices.Contains(f.allowed, f.Mode) {
		words := f.words()
		last := len(words) - 1
		return failure.Usage(cmd.CommandPath(), "--dry-run: %q is not known: choose %s or %s", f.Mode, strings.Join(words[:last], ", "), words[last])
	}
	if wait && f.Mode != None {
		return failure.Usage(cmd.CommandPath(), "--wait and --dry-run=%s exclude each other: nothing is done that could be waited for", f.Mode)
	}
	return nil
}

func (f *Flag) words() []string {
	words := make([]string, 0, len(f.allowed))
	for _, mode := range f.allowed {
		words = append(words, string(mode))
	}
	return words
}

// Suffix is what a sentence that says what was done has to add.
func (m Mode) Suffix() string {
	switch m {
	case Client:
		return " (dry run)"
	case Server:
		return " (server dry run)"
	default:
		return ""
	}
}

// Create are the options of a request that creates.
func (m Mode) Create() []client.CreateOption {
	if m == Server {
		return []client.CreateOption{session.FieldOwner, client.DryRunAll}
	}
	return []client.CreateOption{session.FieldOwner}
}

// Patch are the options of a request that changes.
func (m Mode) Patch() []client.PatchOption {
	if m == Server {
		return []client.PatchOption{session.FieldOwner, client.DryRunAll}
	}
	return []client.PatchOption{session.FieldOwner}
}
