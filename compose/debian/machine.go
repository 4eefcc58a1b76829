package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// ErrNoApt says that this machine cannot fetch: it is no Debian or Ubuntu, or
// its package tools are missing.
var ErrNoApt = errors.New("servers can be fetched on Debian and Ubuntu only")

// machine is what the machine itself is configured to use.
type machine struct {
	distribution string // debian or ubuntu
	codename     string // of the installed release
	arch         string // in the distribution's words, for example amd64
	archive      source // of the distribution's main archive
}

// Distribution is "debian" or "ubuntu", whose packages fit this machine, or
// else [ErrNoApt].
func Distribution(ctx context.Context) (string, error) {
	m, err := readMachine(ctx)
	return m.distribution, err
}

// readMachine reads the distribution and its package source.
func readMachine(ctx context.Context) (machine, error) {
	for _, tool := range []string{"apt-get", "apt-cache", "apt-config", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return machine{}, fmt.Errorf("%w: %s is not installed; install the server with this system's own package manager and put it on PATH",
				ErrNoApt, tool)
		}
	}
	release, err := readRelease("/etc/os-release")
	if err != nil {
		return machine{}, err
	}
	m, err := identifyRelease(release)
	if err != nil {
		return machine{}, err
	}
	settings, err := aptSettings(ctx)
	if err != nil {
		return machine{}, err
	}
	m.arch = architecture()
	sources, err := readSources(settings["list"], settings["parts"])
	if err != nil {
		return machine{}, err
	}
	m.archive, err = m.mainArchive(sources)
	return m, err
}

// architecture is the processor that this program was built for, in the
// distribution's words.
func architecture() string {
	names := map[string]string{"386": "i386", "arm": "armhf", "ppc64le": "ppc64el", "mips64le": "mips64el"}
	if name, ok := names[runtime.GOARCH]; ok {
		return name
	}
	return runtime.GOARCH
}

// readRelease reads an os-release file.
func readRelease(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoApt, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return parseAssignments(f)
}

// parseAssignments reads lines of NAME=value in the quoting of a shell, as far
// as these files use it.
func parseAssignments(r io.Reader) (map[string]string, error) {
	values := make(map[string]string)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		values[key] = strings.Trim(value, "'")
	}
	return values, lines.Err()
}

// identifyRelease finds out whose packages fit: the distribution's own, or
// those of the one that it is made from.
func identifyRelease(release map[string]string) (machine, error) {
	for _, id := range append([]string{release["ID"]}, strings.Fields(release["ID_LIKE"])...) {
		codename := release["VERSION_CODENAME"]
		if id == "ubuntu" && release["UBUNTU_CODENAME"] != "" {
			codename = release["UBUNTU_CODENAME"]
		}
		if id == "debian" && release["DEBIAN_CODENAME"] != "" {
			codename = release["DEBIAN_CODENAME"]
		}
		if id == "debian" || id == "ubuntu" {
			return machine{distribution: id, codename: codename}, nil
		}
	}
	return machine{}, fmt.Errorf("%w: this is %s; install the server with this system's own package manager and put it on PATH",
		ErrNoApt, release["PRETTY_NAME"])
}

// aptSettings asks apt where it reads its sources.
func aptSettings(ctx context.Context) (map[string]string, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "shell",
		"list", "Dir::Etc::sourcelist/f", "parts", "Dir::Etc::sourceparts/d").Output()
	if err != nil {
		return nil, fmt.Errorf("read settings of apt: %w", err)
	}
	return parseAssignments(strings.NewReader(string(out)))
}

// readSources reads the machine's package sources in both formats.
func readSources(list, parts string) ([]source, error) {
	paths := []string{list}
	for _, pattern := range []string{"*.list", "*.sources"} {
		found, err := filepath.Glob(filepath.Join(parts, pattern))
		if err != nil {
			return nil, fmt.Errorf("find package sources: %w", err)
		}
		paths = append(paths, found...)
	}
	var sources []source
	for _, path := range paths {
		found, err := readSourceFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		sources = append(sources, found...)
	}
	return sources, nil
}

// readSourceFile reads one file of package sources.
func readSourceFile(path string) ([]source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read package sources: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if filepath.Ext(path) == ".sources" {
		return parseDeb822(f)
	}
	return parseList(f)
}

// mainArchive finds the source of the release itself: the one that names its
// code name, or else the role that a release may go by.
func (m machine) mainArchive(sources []source) (source, error) {
	for _, names := range [][]string{{m.codename}, {"stable", "oldstable", "oldoldstable", "testing", "unstable", "sid"}} {
		for _, s := range sources {
			named := slices.ContainsFunc(names, func(n string) bool { return slices.Contains(s.suites, n) })
			s.uris = slices.DeleteFunc(slices.Clone(s.uris), func(uri string) bool { return strings.HasPrefix(uri, "cdrom:") })
			if named && slices.Contains(s.components, "main") && len(s.uris) > 0 {
				return m.withKeyring(s), nil
			}
		}
	}
	return source{}, fmt.Errorf("find the package archive of %s: none of apt's sources names the suite %q with the component main; "+
		"add it to the machine's apt sources, or install the server and put it on PATH", m.distribution, m.codename)
}

// keyringPackage is the package that holds a distribution's keys.
func (m machine) keyringPackage() string {
	if m.distribution == "ubuntu" {
		return "ubuntu-keyring"
	}
	return "debian-archive-keyring"
}

// keyringNames are the files in /usr/share/keyrings with a distribution's
// keys.
func (m machine) keyringNames() []string {
	base := m.distribution + "-archive-keyring"
	return []string{base + ".pgp", base + ".gpg"}
}

// withKeyring names the distribution's keyring for a source that names none.
// If there is no such file, apt takes the keys that it trusts for everything.
func (m machine) withKeyring(s source) source {
	if s.signedBy != "" {
		return s
	}
	for _, name := range m.keyringNames() {
		path := filepath.Join("/usr/share/keyrings", name)
		if _, err := os.Stat(path); err == nil {
			s.signedBy = path
			return s
		}
	}
	return s
}

// components are the parts of the archive that hold the servers.
func (m machine) components() []string {
	if m.distribution == "ubuntu" {
		return []string{"main", "universe"}
	}
	return []string{"main"}
}

// suiteGroup are the suites to read so that packages of one suite find their
// libraries: a suite of additions needs the one that it adds to.
func suiteGroup(suite string) []string {
	for _, addition := range []string{"-backports", "-updates"} {
		if base, ok := strings.CutSuffix(suite, addition); ok {
			return []string{base, suite}
		}
	}
	return []string{suite}
}
