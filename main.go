// Toriibench measures how session stores behave on Redis and Valkey.
package main

import (
	"context"
	"os"

	"github.com/toriibench/toriibench/runner"
)

func main() {
	os.Exit(runner.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
