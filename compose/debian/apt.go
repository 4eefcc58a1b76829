package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// aptWait is how long an interrupted apt may take to end.
const aptWait = 5 * time.Second

// aptRoot is a folder in which apt works as if it were the system's, with its
// own lists, packages and state. The machine's settings for reaching its
// archive (proxies, credentials) stay in force; nothing outside is written and
// no lock of the system is taken.
type aptRoot struct {
	dir  string
	arch string
}

// newAptRoot makes the root in dir, which must exist.
func newAptRoot(dir, arch string) (aptRoot, error) {
	root := aptRoot{dir: dir, arch: arch}
	for _, sub := range []string{"lists/partial", "archives/partial", "log", "sources.d", "preferences.d"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return root, fmt.Errorf("make private apt root: %w", err)
		}
	}
	for name, text := range map[string]string{"status": "", "apt.conf": root.config()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return root, fmt.Errorf("make private apt root: %w", err)
		}
	}
	return root, nil
}

// config is read after the machine's own configuration. Lists of that can only
// be emptied, so its hooks, which tidy the system's folders, are. Old Release
// files are let through here because Fetch looks at their date by itself and
// tells; unsigned ones never are.
func (a aptRoot) config() string {
	path := func(name string) string { return `"` + filepath.Join(a.dir, name) + `"` }
	return `#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear APT::Architectures;
APT::Architecture "` + a.arch + `";
APT::Architectures { "` + a.arch + `"; };
APT::Sandbox::User "";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Check-Valid-Until "false";
Acquire::Languages { "none"; };
Acquire::Retries "2";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts ` + path("sources.d") + `;
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts ` + path("preferences.d") + `;
Dir::State ` + path("") + `;
Dir::State::lists ` + path("lists") + `;
Dir::State::status ` + path("status") + `;
Dir::State::extended_states ` + path("extended_states") + `;
Dir::Cache ` + path("") + `;
Dir::Cache::archives ` + path("archives") + `;
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Log ` + path("log") + `;
`
}

// setSource makes suites of an archive the root's only source.
func (a aptRoot) setSource(archive source, suites, components []string) error {
	text := "Types: deb\nURIs: " + strings.Join(archive.uris, " ") +
		"\nSuites: " + strings.Join(suites, " ") +
		"\nComponents: " + strings.Join(components, " ") +
		"\nArchitectures: " + a.arch + "\nTargets: Packages\n"
	if archive.signedBy != "" {
		text += "Signed-By: " + archive.signedBy + "\n"
	}
	if err := os.WriteFile(filepath.Join(a.dir, "sources.d", "archive.sources"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write package source: %w", err)
	}
	return nil
}

// run calls one of apt's programs and returns what it prints.
func (a aptRoot) run(ctx context.Context, program string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append([]string{"-q", "-c=" + filepath.Join(a.dir, "apt.conf")}, args...)...)
	cmd.Dir = filepath.Join(a.dir, "archives")
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = aptWait
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s %s: %w", program, args[0], ctx.Err())
	}
	if err != nil {
		return "", explain(fmt.Errorf("%s %s: %w", program, args[0], err), errs.String())
	}
	// apt calls a source that it could not refresh a warning.
	if args[0] == "update" && complains(errs.String()) {
		return "", explain(errors.New("apt-get update: not every list could be had"), errs.String())
	}
	return out.String(), nil
}

// complains says whether apt's remarks on an update tell of a list that it
// does not have.
func complains(remarks string) bool {
	for line := range strings.Lines(remarks) {
		if strings.HasPrefix(line, "E:") || strings.HasPrefix(line, "Error:") || strings.Contains(line, "Failed to fetch") ||
			strings.Contains(line, "GPG error") || strings.Contains(line, "OpenPGP signature verification failed") {
			return true
		}
	}
	return false
}
