package testservers

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// Monitor records what the server is asked to do, by MONITOR, from now on. What
// scripts do is in it, and their text where it is sent. Stop gives the commands,
// each as its words, and ends it.
func (s *Server) Monitor(tb testing.TB) (stop func() [][]string) {
	tb.Helper()
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", s.Addr)
	if err != nil {
		tb.Fatalf("monitor: %v", err)
	}
	tb.Cleanup(func() { _ = conn.Close() }) // It may be closed already.
	in := bufio.NewReader(conn)
	if s.Password != "" {
		_, err = exchange(conn, in, "AUTH", s.Password)
	}
	if err == nil {
		_, err = exchange(conn, in, "MONITOR")
	}
	if err != nil {
		tb.Fatalf("monitor: %v", err)
	}
	const end = "the monitor ends here"
	var commands [][]string
	ended := make(chan error, 1)
	go func() {
		var err error
		commands, err = monitored(in, end)
		ended <- err
	}()
	return func() [][]string {
		tb.Helper()
		s.Do(tb, "ECHO", end)
		if err := <-ended; err != nil {
			tb.Fatalf("monitor: %v", err)
		}
		return commands
	}
}

// monitored reads commands until one that has the word end.
func monitored(in *bufio.Reader, end string) ([][]string, error) {
	var commands [][]string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		// +1339518083.107412 [0 127.0.0.1:60866] "get" "a\x00"
		_, rest, _ := strings.Cut(line, "] ")
		words := unquoteAll(strings.TrimSpace(rest))
		if len(words) == 0 {
			return nil, fmt.Errorf("%q is no command", line)
		}
		commands = append(commands, words)
		if words[len(words)-1] == end {
			return commands, nil
		}
	}
}

// unquoteAll reads quoted words between spaces. Valkey 8.1 escapes neither quotes
// nor backslashes within a word: one that has a space between quotes comes in
// pieces, and a backslash in one may be taken for an escape.
func unquoteAll(text string) []string {
	text, opened := strings.CutPrefix(text, `"`)
	text, closed := strings.CutSuffix(text, `"`)
	if !opened || !closed {
		return nil
	}
	words := strings.Split(text, `" "`)
	for i, word := range words {
		words[i] = unescape(word)
	}
	return words
}

// unescape undoes the server's escapes: \n, \r, \t, \a, \b, \x00, and the backslash
// before any other.
func unescape(word string) string {
	plain := make([]byte, 0, len(word))
	for i := 0; i < len(word); i++ {
		if word[i] != '\\' || i+1 == len(word) {
			plain = append(plain, word[i])
			continue
		}
		i++
		letter := strings.IndexByte("nrtab", word[i])
		switch code, err := strconv.ParseUint(word[i+1:min(i+3, len(word))], 16, 8); {
		case word[i] == 'x' && err == nil:
			plain = append(plain, byte(code))
			i += 2
		case letter >= 0:
			plain = append(plain, "\n\r\t\a\b"[letter])
		default:
			plain = append(plain, word[i])
		}
	}
	return string(plain)
}
