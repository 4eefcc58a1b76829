package debian

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// maxLibraries bounds how many libraries a program may need.
	maxLibraries = 64
	// smokeTimeout bounds the first run of a program.
	smokeTimeout = 20 * time.Second
	// unwinder is loaded by the C library itself when a thread is cancelled,
	// so no file names it.
	unwinder = "libgcc_s.so.1"
)

// unpack extracts packages into a folder.
func unpack(ctx context.Context, files []string, into string) error {
	for _, file := range files {
		out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", file, into).CombinedOutput()
		if ctx.Err() != nil {
			return fmt.Errorf("unpack %s: %w", filepath.Base(file), ctx.Err())
		}
		if err != nil {
			return explain(fmt.Errorf("unpack %s: %w: %s", filepath.Base(file), err, out), string(out))
		}
	}
	return nil
}

// assemble copies out of an unpacked tree what the engine's server and its
// benchmark tool need: the programs to bin, their libraries and loader to lib of
// the folder into. It returns the loader's name.
func assemble(tree, engine, into string) (loader string, err error) {
	for _, dir := range []string{"bin", "lib"} {
		if err := os.MkdirAll(filepath.Join(into, dir), 0o755); err != nil {
			return "", diskError("make cache entry", err)
		}
	}
	server, needs, err := copyProgram(tree, into, engine+"-server")
	if err != nil {
		return "", err
	}
	if loader, err = interpreter(server); err != nil {
		return "", err
	}
	needs = append(needs, loader, unwinder)
	// The server does without its tool, should a suite have it elsewhere.
	_, toolNeeds, err := copyProgram(tree, into, engine+benchmarkSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return loader, copyLibraries(tree, into, append(needs, toolNeeds...))
}

// copyProgram copies a program to bin and returns its place and the libraries
// that it needs.
func copyProgram(tree, into, name string) (path string, needs []string, err error) {
	path = filepath.Join(into, "bin", name)
	if err := copyInside(tree, filepath.Join("usr", "bin", name), path, 0o755); err != nil {
		return "", nil, err
	}
	needs, err = libraries(path)
	return path, needs, err
}

// copyLibraries copies libraries and what they need in turn.
func copyLibraries(tree, into string, names []string) error {
	seen := make(map[string]bool)
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		if len(seen) > maxLibraries {
			return fmt.Errorf("collect libraries: more than %d", maxLibraries)
		}
		found, err := findLibrary(tree, name)
		if err != nil {
			return err
		}
		target := filepath.Join(into, "lib", name)
		if err := copyInside(tree, found, target, 0o755); err != nil {
			return err
		}
		needs, err := libraries(target)
		if err != nil {
			return err
		}
		names = append(names, needs...)
	}
	return nil
}

// findLibrary looks for a library where packages put them, and returns its
// place below tree.
func findLibrary(tree, name string) (string, error) {
	for _, pattern := range []string{"usr/lib/*-linux-*", "lib/*-linux-*", "usr/lib", "lib", "usr/lib64", "lib64"} {
		found, err := filepath.Glob(filepath.Join(tree, pattern, name))
		if err != nil {
			return "", fmt.Errorf("find library %s: %w", name, err)
		}
		if len(found) > 0 {
			return filepath.Rel(tree, found[0])
		}
	}
	return "", fmt.Errorf("find library %s: no package that the server needs has it", name)
}

// interpreter is the file name of the loader that a program asks for.
func interpreter(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("read program %s: %w", path, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			data, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
			return filepath.Base(strings.TrimRight(string(data), "\x00")), err
		}
	}
	return "", fmt.Errorf("read program %s: it names no loader", path)
}

// libraries are the names of the libraries that an ELF file needs.
func libraries(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read library %s: %w", path, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, fmt.Errorf("read libraries of %s: %w", path, err)
	}
	return names, nil
}

// copyInside copies a file of a tree and follows symbolic links as if the tree
// were the whole system.
func copyInside(tree, name, to string, mode fs.FileMode) error {
	const maxLinks = 10
	for range maxLinks {
		link, err := os.Readlink(filepath.Join(tree, name))
		if err != nil {
			return copyFile(filepath.Join(tree, name), to, mode)
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(name), link)
		}
		// Cleaned as an absolute path, it cannot climb out of the tree.
		name = filepath.Clean("/" + link)
	}
	return fmt.Errorf("copy %s: too many symbolic links", name)
}

// copyFile copies one file and flushes it to the disk.
func copyFile(from, to string, mode fs.FileMode) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy out of package: %w", err)
	}
	defer in.Close() //nolint:errcheck // nothing was written
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return diskError("copy out of package", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return diskError("copy out of package", err)
	}
	return nil
}

// smoke runs a fetched server once, through its own loader, and returns the
// version that it tells.
func smoke(ctx context.Context, e Entry) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, smokeTimeout)
	defer cancel()
	argv := append(e.Command(), "--version")
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("try the fetched server: %w: %s", err, out)
	}
	return serverVersion(string(out))
}
