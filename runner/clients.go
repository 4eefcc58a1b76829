package runner

import (
	"fmt"
	"strings"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/goredis"
	"github.com/toriibench/toriibench/store/valkeygo"
)

// client is a client library that the storage can work through.
type client struct {
	name     string
	dial     store.Dial
	settings func(store.Config) map[string]string
}

// clients lists the client libraries: the one place that knows them all.
func clients() []client {
	return []client{
		{"go-redis", goredis.Dial, goredis.Settings},
		{"valkey-go", valkeygo.Dial, valkeygo.Settings},
	}
}

// clientsByName finds clients in the order asked for.
func clientsByName(names []string) ([]client, error) {
	var found []client
	for _, name := range names {
		c, err := clientByName(name)
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}

func clientByName(name string) (client, error) {
	for _, c := range clients() {
		if c.name == name {
			return c, nil
		}
	}
	return client{}, fmt.Errorf("unknown client %q: there are %s", name, strings.Join(clientNames(), ", "))
}

func clientNames() []string {
	var names []string
	for _, c := range clients() {
		names = append(names, c.name)
	}
	return names
}
