package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// index makes a private apt root with the verified index of a suite. If the
// machine's keys are too old for it, newer ones are taken from a suite that
// they do verify.
func (w workshop) index(ctx context.Context, m machine, suite string) (root aptRoot, warnings []string, err error) {
	root, err = w.update(ctx, m, suite)
	if errors.Is(err, ErrSignature) {
		root, warnings, err = w.updateWithNewerKeys(ctx, m, suite, err)
	}
	if err != nil {
		return aptRoot{}, nil, err
	}
	stale, err := root.staleness(time.Now())
	return root, append(warnings, stale...), err
}

// update makes a root of its own for each call, since apt would fall back on
// the lists of an earlier one.
func (w workshop) update(ctx context.Context, m machine, suite string) (aptRoot, error) {
	dir, err := os.MkdirTemp(w.dir, "apt-")
	if err != nil {
		return aptRoot{}, diskError("make private apt root", err)
	}
	root, err := newAptRoot(dir, m.arch)
	if err != nil {
		return aptRoot{}, err
	}
	if err := root.setSource(m.archive, suiteGroup(suite), m.components()); err != nil {
		return aptRoot{}, err
	}
	_, err = root.run(ctx, "apt-get", "update")
	return root, err
}

// updateWithNewerKeys tries the keyring packages that the machine's own keys
// vouch for, the newest first.
func (w workshop) updateWithNewerKeys(ctx context.Context, m machine, suite string, cause error) (aptRoot, []string, error) {
	errs := []error{cause}
	for _, from := range m.keyringSuites(suite) {
		keyring, name, err := w.keyring(ctx, m, from)
		if err != nil {
			errs = append(errs, fmt.Errorf("look for newer keys in %s: %w", from, err))
			continue
		}
		renewed := m
		renewed.archive.signedBy = keyring
		root, err := w.update(ctx, renewed, suite)
		if err == nil {
			return root, []string{fmt.Sprintf("%s is signed with a key that this machine does not have; it was verified with %s of %s, which it could verify",
				suite, name, from)}, nil
		}
		errs = append(errs, fmt.Errorf("with %s of %s: %w", name, from, err))
	}
	return aptRoot{}, nil, fmt.Errorf("install a newer %s, or choose another version: %w", m.keyringPackage(), errors.Join(errs...))
}

// keyringSuites are where newer keys may be found for a suite that cannot be
// verified.
func (m machine) keyringSuites(suite string) []string {
	newer := []string{"sid", "forky", "trixie", m.codename + "-updates", m.codename}
	if m.distribution == "ubuntu" {
		newer = []string{"devel", m.codename + "-updates", m.codename}
	}
	return slices.DeleteFunc(newer, func(s string) bool { return s == suite })
}

// keyring gets the distribution's keyring out of a suite that the machine's
// own keys verify.
func (w workshop) keyring(ctx context.Context, m machine, suite string) (path, name string, err error) {
	root, err := w.update(ctx, m, suite)
	if err != nil {
		return "", "", err
	}
	found, err := root.show(ctx, m.keyringPackage())
	if err != nil {
		return "", "", err
	}
	if len(found) == 0 {
		return "", "", fmt.Errorf("find %s: the suite does not have it", m.keyringPackage())
	}
	files, err := root.download(ctx, found[:1])
	if err != nil {
		return "", "", err
	}
	tree := filepath.Join(root.dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return "", "", diskError("unpack keys", err)
	}
	if err := unpack(ctx, files, tree); err != nil {
		return "", "", err
	}
	for _, file := range m.keyringNames() {
		to := filepath.Join(w.dir, "keys-"+suite+filepath.Ext(file))
		if err := copyInside(tree, filepath.Join("usr/share/keyrings", file), to, 0o644); err == nil {
			return to, found[0].String(), nil
		}
	}
	return "", "", fmt.Errorf("find keys in %s: it has none of the files %v", found[0], m.keyringNames())
}

// staleness tells of each verified list that its archive no longer vouches
// for: its Valid-Until is past. That happens when a mirror lags behind.
func (a aptRoot) staleness(now time.Time) ([]string, error) {
	var warnings []string
	for _, pattern := range []string{"*_InRelease", "*_Release"} {
		files, err := filepath.Glob(filepath.Join(a.dir, "lists", pattern))
		if err != nil {
			return nil, fmt.Errorf("find release files: %w", err)
		}
		for _, file := range files {
			warning, err := readStaleness(file, now)
			if err != nil {
				return nil, err
			}
			if warning != "" {
				warnings = append(warnings, warning)
			}
		}
	}
	return warnings, nil
}

// readStaleness reads Valid-Until of a release file that apt has verified.
func readStaleness(path string, now time.Time) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read release file: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	paragraphs, err := parseParagraphs(f)
	if err != nil {
		return "", fmt.Errorf("read release file: %w", err)
	}
	for _, p := range paragraphs {
		until, ok := p["valid-until"]
		if !ok {
			continue
		}
		limit, err := time.Parse("Mon, _2 Jan 2006 15:04:05 MST", until)
		if err != nil {
			return "", fmt.Errorf("read release file: Valid-Until %s: %w", strconv.Quote(until), err)
		}
		if now.After(limit) {
			return fmt.Sprintf("the mirror's index of %s was valid until %s only: it lags behind, and newer packages may exist",
				p["codename"], limit.UTC().Format(time.DateOnly)), nil
		}
	}
	return "", nil
}
