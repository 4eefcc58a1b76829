package testservers

import (
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/compose/composetest"
)

// launch starts a server as a plain process and returns its address.
func launch(tb testing.TB, engine string, options []string) string {
	tb.Helper()
	u, err := url.Parse(composetest.Start(tb, engine, options...).URLs[0])
	if err != nil {
		tb.Fatalf("read the server's URL: %v", err)
	}
	return u.Host
}

// Restart starts a killed server again, on the same port, with what it has in its
// files: usually nothing. It needs /proc to learn how the server was started.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if len(s.argv) == 0 {
		tb.Skip("this system has no /proc to tell how the server was started")
	}
	WaitFor(tb, "the killed server to let go of its port", func() bool {
		l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", s.Addr)
		return err == nil && l.Close() == nil
	})
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), s.argv[0], s.argv[1:]...)
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start the server again: %v", err)
	}
	s.process = cmd.Process
	tb.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			tb.Errorf("stop the server: %v", err)
		}
		_ = cmd.Wait() // It was killed; that is the error.
	})
	WaitFor(tb, "the server to answer again", func() bool {
		_, err := ask(s.Addr, s.Password, "PING")
		return err == nil
	})
}

// commandLine is how a process was started; empty where /proc does not tell.
func commandLine(pid string) []string {
	text, err := os.ReadFile("/proc/" + pid + "/cmdline")
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
}
