// Marina is the one binary of the product: the CLI, 'marina up', which runs
// everything on one machine, and 'marina manager', which runs in a management cluster.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/marina-dev/marina/cmd/marina/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to end, the second one ends: whatever hangs then must
	// not keep a person.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
