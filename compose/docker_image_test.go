package compose

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/moby/moby/client"
)

func TestImageName(t *testing.T) {
	t.Setenv("TORIIBENCH_IMAGE_REDIS", "")
	t.Setenv("TORIIBENCH_IMAGE_VALKEY", "mirror.test/vk:{version}-slim")
	for engineName, want := range map[string][]string{
		Redis: {"redis:{version}", "toriibench/redis:{version}"}, Valkey: {"mirror.test/vk:{version}-slim"},
	} {
		if got := imageTemplates(engineName); !slices.Equal(got, want) {
			t.Errorf("templates of %s: got %q, want %q", engineName, got, want)
		}
	}
	t.Setenv("TORIIBENCH_IMAGE_VALKEY", "")
	if got, want := imageTemplates(Valkey)[0], "valkey/valkey:{version}"; got != want {
		t.Errorf("template of valkey: got %q, want %q", got, want)
	}
}

func TestNewestImage(t *testing.T) {
	tags := []string{
		"redis:8.0", "redis:8.0.10", "redis:8.0.9", "redis:8.0.11-alpine", "redis:latest", "redis:7.2",
		"my/redis:9.9", "valkey/valkey:8.1", "redis:<none>", "vk:8.1.2-slim", "vk:8.1.1-slim", "vk:8.1.7",
	}
	for _, c := range []struct{ name, template, version, want string }{
		{"numbers are compared, not letters", "redis:{version}", "8.0", "redis:8.0.10"},
		{"no version takes the newest", "redis:{version}", "", "redis:8.0.10"},
		{"a major version", "redis:{version}", "7", "redis:7.2"},
		{"8.1 does not take 8.10", "redis:{version}", "8.1", ""},
		{"a template with an end", "vk:{version}-slim", "8.1", "vk:8.1.2-slim"},
		{"a template without a version", "redis:latest", "8.0", ""},
		{"another repository", "valkey/valkey:{version}", "", "valkey/valkey:8.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := newestImage(tags, c.template, c.version); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFloatingTags(t *testing.T) {
	for name, want := range map[string]bool{
		"redis:8.0.6":                     false,
		"redis:8.0.6-alpine":              false,
		"localhost:5000/team/redis:8.0.6": false,
		"redis@sha256:0123":               false,
		"sha256:0123":                     false,
		"redis":                           true,
		"redis:latest":                    true,
		"redis:8":                         true,
		"redis:8.0":                       true,
		"localhost:5000/team/redis":       true,
		"localhost:5000/team/redis:8.0":   true,
	} {
		if got := floats(name, "8.0.6"); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestOriginNamesDigestOrID(t *testing.T) {
	pulled := serverImage{name: "redis:8.0", id: "sha256:aa", digest: "redis@sha256:bb"}
	if got, want := pulled.origin(), "image redis:8.0@sha256:bb"; got != want {
		t.Errorf("pulled: got %q, want %q", got, want)
	}
	local := serverImage{name: "redis:8.0", id: "sha256:aa"}
	if got, want := local.origin(), "image redis:8.0 (sha256:aa)"; got != want {
		t.Errorf("local: got %q, want %q", got, want)
	}
}

// importServer makes a container image, without a shell or any system in it,
// of the server program that this machine has for target, and names it
// toriibench-test/ENGINE:VERSION. The image goes with the test.
func importServer(t *testing.T, eng *engine, target Target) (name string, prog program) {
	t.Helper()
	prog, err := obtain(t.Context(), target, Options{Log: t.Output()})
	if err != nil {
		needless(t, "no server program for %s to make an image of: %v", target, err)
	}
	name = fmt.Sprintf("toriibench-test/%s:%s", prog.engine, prog.version)
	if err := eng.importProgram(t.Context(), prog, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeImage(t, eng, name) })
	return name, prog
}

// removeImage takes a test's image away.
func removeImage(t *testing.T, eng *engine, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleanTimeout)
	defer cancel()
	if _, err := eng.api.ImageRemove(ctx, name, client.ImageRemoveOptions{Force: true}); err != nil {
		t.Errorf("remove image %s: %v", name, err)
	}
}

// needless ends a test for want of something that this machine does not have:
// as skipped, or as failed where containers are required.
func needless(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("TORIIBENCH_REQUIRE_DOCKER") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
