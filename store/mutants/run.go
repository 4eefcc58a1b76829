package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// atOnce is how many mutants are tried at a time: one compiles while the cases
// of another wait.
const atOnce = 2

// The exit codes, as those of toriibench.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2
	exitBad   = 3
)

// options is what the command line says.
type options struct {
	tries int
	names []string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		return exitUsage
	}
	good, err := prove(ctx, opts, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "mutants: %v\n", err)
		return exitFault
	case !good:
		return exitBad
	default:
		return exitOK
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&opts.tries, "tries", 1, "run the suite so `often` against each mutant")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: mutants [-tries N] [mutant...]\n\nPuts one known fault after the other into package store and runs the\n"+
			"conformance suite, which must find it. Without names it takes all.\n"+
			"Exit codes: 0 all found, 1 fault, 2 usage, 3 one survived or the suite fails without any.")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	opts.names = flags.Args()
	if _, err := chosen(opts.names); err != nil || opts.tries < 1 {
		err = errors.Join(err, positive(opts.tries))
		fmt.Fprintf(stderr, "mutants: %v\n", err)
		return opts, err
	}
	return opts, nil
}

func positive(tries int) error {
	if tries < 1 {
		return fmt.Errorf("-tries %d: want at least 1", tries)
	}
	return nil
}

// chosen gives the mutants of these names, all without any.
func chosen(names []string) ([]mutant, error) {
	all := mutants()
	if len(names) == 0 {
		return all, nil
	}
	var some []mutant
	for _, name := range names {
		i := slices.IndexFunc(all, func(m mutant) bool { return m.name == name })
		if i < 0 {
			known := make([]string, len(all))
			for i, m := range all {
				known[i] = m.name
			}
			return nil, fmt.Errorf("no mutant is called %q; there are %s", name, strings.Join(known, ", "))
		}
		some = append(some, all[i])
	}
	return some, nil
}

// prove runs the suite without a fault and then with each, and says whether it
// does what it should.
func prove(ctx context.Context, opts options, stdout, stderr io.Writer) (bool, error) {
	some, err := chosen(opts.names)
	if err != nil {
		return false, err
	}
	store, err := findStore(ctx)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "toriibench-mutants-")
	if err != nil {
		return false, fmt.Errorf("make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // What stays is in the system's directory for such.
	fmt.Fprintln(stderr, "the suite without any fault ...")
	healthy, err := try(ctx, mutant{}, place{store, dir}, 1)
	if err != nil {
		return false, err
	}
	if len(healthy.failed) > 0 {
		fmt.Fprintf(stdout, "Without any fault the suite fails, so it proves nothing:\n%s", healthy.output)
		return false, nil
	}
	trials, err := tryAll(ctx, some, place{store, dir}, opts.tries, stderr)
	if err != nil {
		return false, err
	}
	return show(stdout, trials, len(healthy.passed)), nil
}

// findStore gives the directory of package store.
func findStore(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/toriibench/toriibench/store").Output()
	if err != nil {
		return "", fmt.Errorf("find package store, from the directory of the project: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// place is where the store lies and where files may be written.
type place struct{ store, dir string }

// tryAll tries some mutants, a few at a time, and gives what came of them in
// their order. It ends with the first error.
func tryAll(ctx context.Context, some []mutant, where place, tries int, stderr io.Writer) ([]trial, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	trials := make([]trial, len(some))
	left := make(chan int, len(some))
	for i := range some {
		left <- i
	}
	close(left)
	var printing sync.Mutex
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for i := range left {
				if ctx.Err() != nil {
					return
				}
				t, err := try(ctx, some[i], where, tries)
				if err != nil {
					cancel(err)
					return
				}
				trials[i] = t
				printing.Lock()
				fmt.Fprintln(stderr, t.name+":", t.verdict())
				printing.Unlock()
			}
		})
	}
	workers.Wait()
	return trials, context.Cause(ctx)
}

// try compiles the suite with a fault, or without one for the zero mutant, and
// runs it.
func try(ctx context.Context, m mutant, where place, tries int) (trial, error) {
	t := trial{mutant: m, tries: tries}
	dir := filepath.Join(where.dir, "mutant-"+m.name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return t, fmt.Errorf("make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // What stays is in the system's directory for such.
	overlay, err := m.overlay(where.store, dir)
	if err != nil {
		return t, err
	}
	s, err := compile(ctx, where.store, dir, overlay)
	if err != nil {
		return t, fmt.Errorf("mutant %s: %w", m.name, err)
	}
	for n := range tries {
		cases := m.cases
		if n > 0 {
			cases = regexp.QuoteMeta(m.finder) // All else has been seen.
		}
		o, err := s.run(ctx, cases)
		if err != nil {
			return t, fmt.Errorf("mutant %s: %w", m.name, err)
		}
		t.add(o)
	}
	return t, nil
}
