package debian

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCopyInside(t *testing.T) {
	base := t.TempDir()
	tree, secret := filepath.Join(base, "tree"), filepath.Join(base, "secret")
	write := func(path, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(tree, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, "outside")
	write(filepath.Join(tree, "usr/bin/real"), "inside")
	link("real", "usr/bin/beside")
	link("/usr/bin/beside", "absolute")
	link("../../../../../secret", "usr/bin/outside")
	link(secret, "usr/bin/outside-absolute")
	link("loop", "loop")
	for name, want := range map[string]string{
		"usr/bin/real": "inside", "usr/bin/beside": "inside", "absolute": "inside",
		"usr/bin/outside": "", "usr/bin/outside-absolute": "", "loop": "", "none": "",
	} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "copy")
			err := copyInside(tree, name, to, 0o755)
			if (err == nil) != (want != "") {
				t.Fatalf("got %v", err)
			}
			if data, err := os.ReadFile(to); string(data) != want {
				t.Errorf("copied %q, want %q, %v", data, want, err)
			}
		})
	}
}

func TestMissingLibraryIsNamed(t *testing.T) {
	err := copyLibraries(t.TempDir(), t.TempDir(), []string{"libnone.so.1"})
	if err == nil || !strings.Contains(err.Error(), "libnone.so.1") {
		t.Errorf("got %v", err)
	}
}

func TestUpstream(t *testing.T) {
	for version, want := range map[string]string{
		"5:8.0.2-3+deb13u2": "8.0.2", "8.1.1+dfsg1-3": "8.1.1", "8.0.1+dfsg1-1~bpo12+1": "8.0.1",
		"9.1.2-1": "9.1.2", "7.2.8~rc1-0ubuntu0.24.04": "7.2.8", "7": "7", "": "",
	} {
		if got := upstream(version); got != want {
			t.Errorf("upstream(%q) = %q, want %q", version, got, want)
		}
	}
}

func TestParseDepends(t *testing.T) {
	got := parseDepends("libc6 (>= 2.38), systemd | systemd-sysusers, liba:any (= 1) , , b [amd64]")
	want := [][]string{{"libc6"}, {"systemd", "systemd-sysusers"}, {"liba"}, {"b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCompareVersions(t *testing.T) {
	rising := []string{"7.0", "7.0.15", "8.0.2", "8.1.1", "8.10.0", "9.1.2"}
	for i, a := range rising {
		for j, b := range rising {
			if got := compareVersions(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("compareVersions(%s, %s) = %d", a, b, got)
			}
		}
	}
}

func TestExplain(t *testing.T) {
	cause := errors.New("exit status 100")
	tests := []struct {
		remarks string
		want    error
	}{
		{"W: Failed to fetch http://x.invalid  Temporary failure resolving 'x.invalid'\n", ErrNetwork},
		{"W: Failed to fetch http://x.invalid  Could not connect to x.invalid:80, connection timed out\n", ErrNetwork},
		{"W: GPG error: http://x.invalid next InRelease: The following signatures couldn't be verified: NO_PUBKEY 1\n", ErrSignature},
		{"Error: The repository 'http://x.invalid next InRelease' is not signed.\n", ErrSignature},
		{"E: The repository 'http://x.invalid next Release' does not have a Release file.\n", ErrUnknownVersion},
		{"E: Write error - write (28: No space left on device)\n", ErrDiskFull},
		{"E: something else\n", nil},
	}
	for _, tt := range tests {
		got := explain(cause, tt.remarks)
		if !errors.Is(got, cause) || !strings.Contains(got.Error(), strings.TrimSpace(tt.remarks)) {
			t.Errorf("%q: %v lacks the cause or apt's own words", tt.remarks, got)
		}
		for _, sentinel := range []error{ErrNetwork, ErrSignature, ErrUnknownVersion, ErrDiskFull} {
			if errors.Is(got, sentinel) != errors.Is(tt.want, sentinel) {
				t.Errorf("%q: is %v: %v", tt.remarks, sentinel, errors.Is(got, sentinel))
			}
		}
	}
	if err := diskError("write", syscall.ENOSPC); !errors.Is(err, ErrDiskFull) {
		t.Errorf("a full disk: %v", err)
	}
}

func TestOffering(t *testing.T) {
	tests := []struct {
		engine, version, want string
	}{
		{"redis", "8.0", "8.0"},
		{"redis", "8.0.2", "8.0"},
		{"valkey", "8", "8.1"},
		{"valkey", "8.10", ""},
		{"keydb", "6", ""},
	}
	for _, tt := range tests {
		if o, ok := offering(tt.engine, tt.version); o.version != tt.want || ok != (tt.want != "") {
			t.Errorf("offering(%s, %s) = %s, %v", tt.engine, tt.version, o.version, ok)
		}
	}
	for _, engine := range []string{"redis", "valkey"} {
		versions := Versions(engine)
		for i := range versions[1:] {
			if compareVersions(versions[i], versions[i+1]) >= 0 {
				t.Errorf("versions of %s do not rise: %v", engine, versions)
			}
		}
	}
}

func TestParseStaleness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x_Release")
	if err := os.WriteFile(path, []byte("Codename: x\nValid-Until: tomorrow\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (aptRoot{dir: t.TempDir()}).staleness(time.Now()); err != nil {
		t.Errorf("no lists: %v", err)
	}
	if _, err := readStaleness(path, time.Now()); err == nil || !strings.Contains(err.Error(), "tomorrow") {
		t.Errorf("got %v, want a refusal of the date", err)
	}
}
