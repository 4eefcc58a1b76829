// Command stores measures the session store of this project beside those that
// people use with Redis in Go today: scs, redistore and the storage of fiber.
// `make perf-store` runs it, and docs/performance.md says what it compares. It is
// a module of its own, so that whoever imports the store depends on none of them.
package main

import (
	"context"
	"os"

	"github.com/toriibench/toriibench/runner"
)

func main() {
	os.Exit(runner.PerfStoresMain(context.Background(), os.Args[1:], peers(), os.Stdout, os.Stderr))
}
