// Package arguments checks how many arguments a command gets, in words that name
// the argument that is missing.
package arguments

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Named takes one argument for each name: 'marina cluster wait NAME'.
func Named(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return missing(cmd, names[len(args)])
		}
		if len(args) > len(names) {
			return fmt.Errorf("unexpected argument %q after %s", args[len(names)], strings.Join(names, " "))
		}
		return nil
	}
}

// NamedAndPerhaps takes one argument, called name, and at most one more, called more.
func NamedAndPerhaps(name, more string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < 2 {
			return Named(name)(cmd, args)
		}
		return Named(name, more)(cmd, args)
	}
}

// AtLeastOne takes one argument or more, all called name.
func AtLeastOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return missing(cmd, name)
		}
		return nil
	}
}

// NamedAndMore takes one argument, called name, and then one or more, all called more.
func NamedAndMore(name, more string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return missing(cmd, name)
		case 1:
			return missing(cmd, more)
		}
		return nil
	}
}

// AtMostOne takes one argument, called name, or none.
func AtMostOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("unexpected argument %q after %s", args[1], name)
		}
		return nil
	}
}

// None takes no argument.
func None(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	return nil
}

func missing(cmd *cobra.Command, name string) error {
	return fmt.Errorf("%s is missing: %s", name, cmd.UseLine())
}
