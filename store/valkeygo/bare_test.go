package valkeygo

import (
	"strconv"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

func TestBare(t *testing.T) {
	server := testservers.Start(t, "valkey:8.1")
	bare, err := DialBare(t.Context(), store.Config{URLs: []string{server.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if err := bare.Set(t.Context(), "k", "value"); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"k": "value", "none": ""} {
		if got, err := bare.Get(t.Context(), key); err != nil || got != want {
			t.Errorf("GET %s: %q, %v, want %q", key, got, err, want)
		}
	}
	server.Do(t, "LPUSH", "list", "x")
	if got, err := bare.Get(t.Context(), "list"); err == nil || !strings.Contains(err.Error(), "GET") {
		t.Errorf("GET of a list: %q, %v", got, err)
	}
}

func TestAsManyConnectionsAsAskedFor(t *testing.T) {
	server := testservers.Start(t, "valkey:8.1")
	for n, want := range map[int]string{0: "2", 1: "1", 6: "4"} {
		bare, err := DialBare(t.Context(), store.Config{URLs: []string{server.URL()}, Connections: n})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 200 { // A key's slot picks the connection, which is opened when first used.
			if _, err := bare.Get(t.Context(), "key"+strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
		}
		clients := server.Info(t, "clients")["connected_clients"]
		if more, err := strconv.Atoi(clients); err != nil || strconv.Itoa(more-1) != want { // one asks
			t.Errorf("%d connections: the server has %s clients, one of which asks, want %s beside it", n, clients, want)
		}
		bare.Close()
		testservers.WaitFor(t, "the connections to be gone", func() bool {
			return server.Info(t, "clients")["connected_clients"] == "1"
		})
	}
}
