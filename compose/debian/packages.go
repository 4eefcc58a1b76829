package debian

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxPackages bounds how many packages a server may need.
const maxPackages = 64

// pkg is a package as the archive's verified index describes it.
type pkg struct {
	name, version string
	section       string
	size          int64 // of the download, in bytes
	depends       [][]string
}

// show reads the candidates of packages from the index. Names that it does not
// know are left out.
func (a aptRoot) show(ctx context.Context, names ...string) ([]pkg, error) {
	// apt-cache fails when it knows one name out of several not, so it is
	// asked for what it knows first.
	known, err := a.known(ctx, names)
	if err != nil || len(known) == 0 {
		return nil, err
	}
	out, err := a.run(ctx, "apt-cache", append([]string{"show", "--no-all-versions"}, known...)...)
	if err != nil {
		return nil, err
	}
	paragraphs, err := parseParagraphs(strings.NewReader(out))
	if err != nil {
		return nil, err
	}
	var found []pkg
	for _, p := range paragraphs {
		size, err := strconv.ParseInt(p["size"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read size of package %s: %w", p["package"], err)
		}
		found = append(found, pkg{
			name: p["package"], version: p["version"], section: p["section"], size: size,
			depends: append(parseDepends(p["depends"]), parseDepends(p["pre-depends"])...),
		})
	}
	return found, nil
}

// known are those of the names that are packages with a candidate.
func (a aptRoot) known(ctx context.Context, names []string) ([]string, error) {
	out, err := a.run(ctx, "apt-cache", append([]string{"policy"}, names...)...)
	if err != nil {
		return nil, err
	}
	var known []string
	name := ""
	for line := range strings.Lines(out) {
		if line[0] != ' ' {
			name = strings.TrimSuffix(strings.TrimSpace(line), ":")
		} else if candidate, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate:"); ok && strings.TrimSpace(candidate) != "(none)" {
			known = append(known, name)
		}
	}
	return known, nil
}

// parseDepends reads a Depends field: alternatives by package name, without
// versions and architectures.
func parseDepends(field string) [][]string {
	var all [][]string
	for group := range strings.SplitSeq(field, ",") {
		var names []string
		for alternative := range strings.SplitSeq(group, "|") {
			name, _, _ := strings.Cut(strings.TrimSpace(alternative), " ")
			name, _, _ = strings.Cut(name, ":")
			if name != "" {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			all = append(all, names)
		}
	}
	return all
}

// holdsProgram says whether a package can hold a part of the engine's server:
// the server itself, the tools package that shares its executable, and
// libraries. What only installs or supervises a service is left out; that
// nothing is missing is checked on the files themselves, see assemble.
func holdsProgram(p pkg, engine string) bool {
	library := strings.HasPrefix(p.name, "lib") || strings.HasPrefix(p.name, "lua-") || strings.HasSuffix(p.section, "libs")
	return library || p.name == engine+"-server" || p.name == engine+"-tools"
}

// closure finds the server's package and everything that it needs to run.
func (a aptRoot) closure(ctx context.Context, engine string) ([]pkg, error) {
	var all []pkg
	seen := []string{engine + "-server"}
	for next := seen; len(next) > 0; {
		found, err := a.show(ctx, next...)
		if err != nil {
			return nil, fmt.Errorf("read package index: %w", err)
		}
		next = nil
		for _, p := range found {
			if !holdsProgram(p, engine) {
				continue
			}
			all = append(all, p)
			for _, name := range slices.Concat(p.depends...) {
				if !slices.Contains(seen, name) {
					seen, next = append(seen, name), append(next, name)
				}
			}
		}
		if len(all) > maxPackages {
			return nil, fmt.Errorf("read package index: %s-server needs more than %d packages", engine, maxPackages)
		}
	}
	return all, nil
}

// download fetches packages into the root's archives folder; apt checks each
// against the signed index.
func (a aptRoot) download(ctx context.Context, packages []pkg) ([]string, error) {
	args := []string{"download"}
	for _, p := range packages {
		args = append(args, p.name+"="+p.version)
	}
	if _, err := a.run(ctx, "apt-get", args...); err != nil {
		return nil, fmt.Errorf("download packages: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(a.dir, "archives", "*.deb"))
	if err != nil {
		return nil, fmt.Errorf("download packages: %w", err)
	}
	if len(files) < len(packages) {
		return nil, fmt.Errorf("download packages: %d of %d arrived", len(files), len(packages))
	}
	return files, nil
}

// upstream is the version that the program has, out of a package's:
// 5:8.0.2-3+deb13u2 is 8.0.2, and 8.1.1+dfsg1-3 is 8.1.1.
func upstream(version string) string {
	if _, after, ok := strings.Cut(version, ":"); ok {
		version = after
	}
	if i := strings.LastIndex(version, "-"); i >= 0 {
		version = version[:i]
	}
	if i := strings.IndexFunc(version, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }); i >= 0 {
		version = version[:i]
	}
	return version
}

// matches says whether version is, or begins with, the wanted one.
func matches(version, want string) bool {
	return version == want || strings.HasPrefix(version, want+".")
}
