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
  4    the run proves nothing: the generator could not keep up
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

// quiet ends a command with a code whose reason has been told already.
type quiet struct{ code int }

func (q quiet) Error() string { return fmt.Sprintf("exit code %d", q.code) }

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// program is what the commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// Main runs the program with these arguments and returns its exit code. The
// first interrupt stops it gently, the second at once.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := withSignals(ctx)
	defer stop()
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr}
	root := p.root() //nolint:contextcheck // Cobra hands the context to each command.
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return p.exitCode(ctx, root.ExecuteContext(ctx))
}

// withSignals ends the context at the first signal and lets the second one kill
// the process as if nobody listened; the kernel takes the servers with it.
func withSignals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

func (p *program) exitCode(ctx context.Context, err error) int {
	var q quiet
	var f *fault
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &q):
		return q.code
	case errors.Is(err, errInterrupted) || errors.Is(context.Cause(ctx), errInterrupted):
		fmt.Fprintln(p.stderr, "toriibench: interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(p.stderr, "toriibench: %v\n", err)
	if errors.As(err, &f) {
		return f.code
	}
	return exitFault
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "toriibench",
		Short: "Measure how session stores behave on Redis and Valkey",
		Long: `toriibench drives a session store with open-loop traffic against real Redis and
Valkey servers, which it starts by itself, and says what a session costs there.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usage(unknownCommand(cmd, args[0]))
		},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	})
	root.AddCommand(p.benchCommand(), p.reportCommand(), p.serversCommand(), p.listCommand())
	for _, cmd := range root.Commands() {
		cmd.Long = withExitHelp(cmd)
	}
	return root
}

// unknownCommand says which command was probably meant.
func unknownCommand(root *cobra.Command, word string) error {
	root.SuggestionsMinimumDistance = 2
	if near := root.SuggestionsFor(word); len(near) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %s?", word, near[0])
	}
	return fmt.Errorf("unknown command %q; see toriibench --help", word)
}

func withExitHelp(cmd *cobra.Command) string {
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	return long + "\n" + exitHelp
}

// noArgs refuses arguments with the usage exit code.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("unknown argument %q; see %s --help", args[0], cmd.CommandPath()))
	}
	return nil
}
