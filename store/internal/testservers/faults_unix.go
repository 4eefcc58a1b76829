//go:build unix

package testservers

import (
	"syscall"
	"testing"
)

// Stall stops the server's process in its tracks, connections open, until
// Resume or the test's end.
func (s *Server) Stall(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGSTOP)
	tb.Cleanup(func() { s.signal(tb, syscall.SIGCONT) })
}

// Resume ends a Stall.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGCONT)
}

// Kill ends the server's process at once.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGKILL)
}

func (s *Server) signal(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	if err := s.process.Signal(sig); err != nil {
		tb.Fatalf("send %s to the server: %v", sig, err)
	}
}
