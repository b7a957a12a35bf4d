// Command launcher is what an image runs under the name of a program that clients reach
// through a Service. It becomes that program, which lies in /usr/local/libexec, and stays
// upstream's own.
//
// Where it has run before in the same pod, it waits first. A kubelet starts a container
// that has died again after about a second; kube-proxy has heard of the death after one
// to three. A kube-apiserver accepts connections as soon as it starts, but answers them
// seconds later, and with "403 Forbidden" as long as it has not read the roles. So it is
// not started before nobody is sent to it any more.
//
// An API server whose way to the nodes needs an agent waits for one, where there are any:
// it would tell all others that aggregated APIs are not available.
//
//	MARINA_RESTART_DELAY   how long it waits (5s); unset is not at all
//	MARINA_RESTART_MARK    the file that tells that it has run in this pod
//	MARINA_AWAIT_URL       what has to answer with 200 before it starts; unset is nothing
//	MARINA_AWAIT_IF        the file without which it does not wait for that
//	MARINA_AWAIT_LIMIT     how long it waits for it (10s); then it starts nevertheless
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// folder is where the programs lie that launcher becomes; tests have one of their own.
var folder = "/usr/local/libexec"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := errors.Join(
		hold(ctx, os.Getenv("MARINA_RESTART_MARK"), os.Getenv("MARINA_RESTART_DELAY")),
		await(ctx, os.Getenv("MARINA_AWAIT_IF"), os.Getenv("MARINA_AWAIT_URL"), os.Getenv("MARINA_AWAIT_LIMIT")),
	)
	told := ctx.Err() != nil
	stop()
	if told {
		os.Exit(128 + int(syscall.SIGTERM))
	}
	if err != nil {
		// A server that starts too soon is better than none.
		fmt.Fprintln(os.Stderr, "launcher:", err)
	}
	program := filepath.Join(folder, filepath.Base(os.Args[0]))
	fmt.Fprintf(os.Stderr, "launcher: %s: %v\n", program, syscall.Exec(program, os.Args, os.Environ()))
	os.Exit(127)
}

// hold leaves the mark; if it was there, it waits for the delay or the end of ctx.
func hold(ctx context.Context, mark, delay string) error {
	if delay == "" {
		return nil
	}
	wait, err := time.ParseDuration(delay)
	if err != nil {
		return fmt.Errorf("MARINA_RESTART_DELAY: %w", err)
	}
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("MARINA_RESTART_MARK: %w", err)
	}
	fmt.Fprintf(os.Stderr, "launcher: started again in the same pod; waiting %s until nobody is sent here\n", wait)
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return nil
}

// await asks a URL until it answers with 200, for a limit at the most, if there is a file.
func await(ctx context.Context, file, url, limit string) error {
	if url == "" {
		return nil
	}
	most, err := time.ParseDuration(limit)
	if err != nil {
		return fmt.Errorf("MARINA_AWAIT_LIMIT: %w", err)
	}
	if _, err := os.Stat(file); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("MARINA_AWAIT_IF: %w", err)
	}
	within, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	began := time.Now()
	var problem error
	for {
		err := ask(within, url)
		if within.Err() == nil || problem == nil {
			problem = err // the last one that is not the limit's own
		}
		if err == nil {
			fmt.Fprintf(os.Stderr, "launcher: %s answers after %s\n", url, time.Since(began).Round(time.Millisecond))
			return nil
		}
		select {
		case <-within.Done():
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("starting without an answer after %s: %w", limit, problem)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ask is nil if a URL answers with 200.
func ask(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return nil
}
