// Command mutants proves that the conformance suite finds the faults that matter.
// It puts one known fault after the other into package store, in a copy that only
// the compiler sees, and runs the suite on a real server: each must make the case
// fail that is there for it, and without any fault nothing may fail. `make
// mutants` runs it. See [mutants] for the faults.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
