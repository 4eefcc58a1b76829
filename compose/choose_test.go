package compose

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+t.TempDir()+"/none.sock")
	tests := []struct {
		name, provider string
		targets        []string
		want, why      string
	}{
		{"no engine leaves native", Auto, []string{"redis:8.0", "valkey"}, "native", "docker cannot serve redis:8.0@standalone"},
		{"the empty name is auto", "", []string{"redis"}, "native", "docker cannot serve"},
		{"native by name", "native", []string{"redis"}, "native", "asked for"},
		{"docker by name", "docker", []string{"redis"}, "docker", "asked for"},
		{"URLs are external whatever is named", "docker", []string{"redis://127.0.0.1:1", "valkey://127.0.0.1:2"}, "external", "URLs"},
		{"a mixed list", "native", []string{"redis", "redis://127.0.0.1:1"}, "native", "URLs are external"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			provider, why, err := Choose(t.Context(), tt.provider, parseAll(t, tt.targets...), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if provider.Name() != tt.want || !strings.Contains(why, tt.why) || strings.Contains(why, "\n") {
				t.Errorf("got %s because %q", provider.Name(), why)
			}
		})
	}
}

// parseAll reads targets.
func parseAll(t *testing.T, texts ...string) []Target {
	t.Helper()
	var targets []Target
	for _, text := range texts {
		target, err := ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, target)
	}
	return targets
}

func TestChooseFaults(t *testing.T) {
	tests := []struct {
		name, provider, target, says string
	}{
		{"an unknown provider", "podman", "redis", "auto, native, docker and external"},
		{"external without a URL", "external", "redis", "give a URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Choose(t.Context(), tt.provider, parseAll(t, tt.target), Options{})
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
		})
	}
}

func TestMixedProviderSendsURLsToExternal(t *testing.T) {
	ownTemp(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "redis://127.0.0.1:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	targets := parseAll(t, "redis", url)
	provider, _, err := Choose(t.Context(), "native", targets, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := provider.Check(t.Context(), targets[1]); err == nil || strings.Contains(err.Error(), "use the provider external") {
		t.Errorf("Check of a URL where nothing listens: %v, want external's answer", err)
	}
	t.Setenv(EnvRedisServer, "/bin/echo")
	if err := provider.Check(t.Context(), targets[0]); err == nil || errors.Is(err, errNotHere) {
		t.Errorf("Check of a server: %v, want native's answer", err)
	}
}
