// Package runner is the program: its commands, one file each, and the wiring
// between servers, storage, scenarios, engine and report. Nothing else prints,
// and only main ends the process.
package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes, the same for every command.
const (
	exitFine        = 0
	exitFault       = 1
	exitUsage       = 2
	exitBadVerdict  = 3
	exitNoProof     = 4
	exitInterrupted = 130
)

const exitHelp = `
Exit codes:
  0    fine
  1    a fault: a server died, a file could not be written, no network
  2    usage: an unknown word or flag
  3    the verdict is bad: an invariant was violated
  4    the run proves nothing: the generator could not keep up, or something
       that was asked for cannot run there
  130  interrupted
`

// fault is an error with its exit code.
type fault struct {
	code int
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func usage(err error) error { return &fault{exitUsage, err} }

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// program is what the commands share.
type program struct {
	stdout, stderr io.Writer
}

// Main runs the program with these arguments and returns its exit code. The
// first interrupt stops it gently, the second at once.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	stderr = shared(stderr)
	ctx, stop := withSignals(ctx, stderr)
	defer stop()
	p := &program{stdout: stdout, stderr: stderr}
	root := p.root() //nolint:contextcheck // Cobra hands the context to each command.
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return p.exitCode(ctx, root.ExecuteContext(ctx))
}

// shared lets goroutines write at the same time, as the one that listens for
// signals does. A file does so by itself.
func shared(w io.Writer) io.Writer {
	if _, file := w.(*os.File); file {
		return w
	}
	return &sharedWriter{w: w}
}

type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write is part of io.Writer.
func (s *sharedWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// withSignals ends the context at the first signal and lets the second one kill
// the process as if nobody listened; the kernel takes the servers with it.
func withSignals(ctx context.Context, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			fmt.Fprintln(stderr, "\ntoriibench: stopping and cleaning up; interrupt again to end at once")
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// exitCode tells what went wrong. After an interrupt only what went wrong beside
// it is worth telling.
func (p *program) exitCode(ctx context.Context, err error) int {
	var f *fault
	switch {
	case errors.Is(err, errInterrupted) || errors.Is(context.Cause(ctx), errInterrupted):
		for _, other := range beside(err, errInterrupted) {
			fmt.Fprintf(p.stderr, "toriibench: %v\n", other)
		}
		fmt.Fprintln(p.stderr, "toriibench: interrupted")
		return exitInterrupted
	case err == nil:
		return exitFine
	}
	fmt.Fprintf(p.stderr, "toriibench: %v\n", err)
	if errors.As(err, &f) {
		return f.code
	}
	return exitFault
}

// beside returns the joined parts of err that are not about known, nor about the
// context that it ended.
func beside(err, known error) []error {
	if err == nil {
		return nil
	}
	if !errors.Is(err, known) && !errors.Is(err, context.Canceled) {
		return []error{err}
	}
	var others []error
	switch e := err.(type) { //nolint:errorlint // It walks the tree itself.
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			others = append(others, beside(part, known)...)
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return beside(inner, known)
		}
	}
	return others
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "toriibench",
		Short: "Measure how session stores behave on Redis and Valkey",
		Long: `toriibench drives a session store with open-loop traffic against real Redis and
Valkey servers, which it starts by itself, and says what a session costs there.`,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	})
	root.AddCommand(p.benchCommand(), p.perfCommand(), p.reportCommand(), p.serversCommand(), p.doctorCommand(), p.listCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	finish(root)
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = knownTopic
	}
	return root
}

// knownTopic refuses help for what is no command.
func knownTopic(help *cobra.Command, args []string) error {
	if found, _, err := help.Root().Find(args); len(args) > 0 && (err != nil || found == help.Root()) {
		return usage(unknownCommand(help.Root(), args[0]))
	}
	return nil
}

// finish gives every command the exit codes in its help, and lets those that only
// hold others refuse what they do not know.
func finish(cmd *cobra.Command) {
	if cmd.Long == "" {
		cmd.Long = cmd.Short
	}
	cmd.Long += "\n" + exitHelp
	if cmd.HasSubCommands() {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usage(unknownCommand(cmd, args[0]))
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		finish(sub)
	}
}

// unknownCommand says which command was probably meant.
func unknownCommand(cmd *cobra.Command, word string) error {
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %s?", word, near[0])
	}
	return fmt.Errorf("unknown command %q; see %s --help", word, cmd.CommandPath())
}

// noArgs refuses arguments with the usage exit code.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("unknown argument %q; see %s --help", args[0], cmd.CommandPath()))
	}
	return nil
}
