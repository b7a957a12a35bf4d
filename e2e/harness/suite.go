package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

// Suite runs the tests of a package, and returns the exit code: with one Marina for
// all of them, which hosts clusters of the given releases by name.
func Suite(tests *testing.M, clusters map[string]string, share func(*Marina)) (code int) {
	code, err := suite(tests, clusters, share)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func suite(tests *testing.M, clusters map[string]string, share func(*Marina)) (code int, err error) {
	dir, err := os.MkdirTemp("", "marina-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	m, err := New(dir)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, m.End()) }()
	if err := m.Start(ctx); err != nil {
		return 1, err
	}
	for name, version := range clusters {
		if err := m.Client.Create(ctx, NewCluster(name, version)); err != nil {
			return 1, err
		}
	}
	for name := range clusters {
		if err := AwaitAvailable(ctx, m, name); err != nil {
			return 1, err
		}
	}
	share(m)
	return tests.Run(), nil
}
