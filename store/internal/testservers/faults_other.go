//go:build !unix

package testservers

import "testing"

// Stall skips the test: this system cannot stop a process and let it go on.
func (s *Server) Stall(tb testing.TB) {
	tb.Helper()
	tb.Skip("this system cannot stall a process")
}

// Resume ends a Stall.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	tb.Skip("this system cannot stall a process")
}

// Kill ends the server's process at once.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if err := s.process.Kill(); err != nil {
		tb.Fatalf("kill the server: %v", err)
	}
}
