package compose

import (
	"archive/tar"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

func TestImageName(t *testing.T) {
	t.Setenv("TORIIBENCH_IMAGE_REDIS", "")
	t.Setenv("TORIIBENCH_IMAGE_VALKEY", "mirror.test/vk:{version}-slim")
	for engineName, want := range map[string]string{
		Redis: "redis:{version}", Valkey: "mirror.test/vk:{version}-slim",
	} {
		if got := imageTemplate(engineName); got != want {
			t.Errorf("template of %s: got %q, want %q", engineName, got, want)
		}
	}
	t.Setenv("TORIIBENCH_IMAGE_VALKEY", "")
	if got, want := imageTemplate(Valkey), "valkey/valkey:{version}"; got != want {
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
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(writeRoot(writer, rootFiles(t, prog))) }()
	result, err := eng.api.ImageImport(t.Context(), client.ImageImportSource{Source: reader, SourceName: "-"}, name,
		client.ImageImportOptions{Changes: []string{"ENV LD_LIBRARY_PATH=/lib"}})
	if err != nil {
		t.Fatalf("import image: %v", err)
	}
	t.Cleanup(func() { removeImage(t, eng, name) })
	if text, err := io.ReadAll(result); err != nil || strings.Contains(string(text), "errorDetail") {
		t.Fatalf("import image: %v: %s", err, text)
	}
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

// rootFiles maps the paths in an image to the files here that prog needs: its
// binary, the libraries, and the loader where the binary expects it.
func rootFiles(t *testing.T, prog program) map[string]string {
	t.Helper()
	argv := prog.command()
	binary, loader := argv[len(argv)-1], argv[:len(argv)-1]
	binary, err := filepath.EvalSymlinks(binary)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{"ldd", binary}
	if len(loader) > 0 {
		list = slices.Concat(loader, []string{"--list", binary})
	}
	out, err := exec.CommandContext(t.Context(), list[0], list[1:]...).Output()
	if err != nil {
		t.Fatalf("list libraries with %v: %v", list, err)
	}
	files := map[string]string{"usr/local/bin/" + prog.engine + "-server": binary}
	for _, found := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		files["lib/"+path.Base(found[1])] = found[1]
	}
	interpreter := interpreterOf(t, binary)
	files[strings.TrimPrefix(interpreter, "/")] = interpreter
	if len(loader) > 0 {
		files[strings.TrimPrefix(interpreter, "/")] = loader[0]
	}
	return files
}

// interpreterOf is the path of the loader that a binary asks for.
func interpreterOf(t *testing.T, binary string) string {
	t.Helper()
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, header := range file.Progs {
		if header.Type == elf.PT_INTERP {
			text, err := io.ReadAll(header.Open())
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimRight(string(text), "\x00")
		}
	}
	t.Fatalf("%s has no loader", binary)
	return ""
}

// writeRoot writes files, keyed by their path in the image, as a tar.
func writeRoot(w io.Writer, files map[string]string) error {
	archive := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content, err := os.ReadFile(files[name])
		if err != nil {
			return err
		}
		header := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
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
