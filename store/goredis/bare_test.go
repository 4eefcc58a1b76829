package goredis

import (
	"strings"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

func TestBare(t *testing.T) {
	server := testservers.Start(t, "valkey:8.1")
	bare, err := DialBare(store.Config{URLs: []string{server.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	server.Do(t, "SET", "k", "value")
	server.Do(t, "LPUSH", "list", "x")
	for key, want := range map[string]string{"k": "value", "none": ""} {
		if got, err := bare.Get(t.Context(), key); err != nil || got != want {
			t.Errorf("GET %s: %q, %v, want %q", key, got, err, want)
		}
	}
	if got, err := bare.Get(t.Context(), "list"); err == nil || !strings.Contains(err.Error(), "GET") {
		t.Errorf("GET of a list: %q, %v", got, err)
	}
}
