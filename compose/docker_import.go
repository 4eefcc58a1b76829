package compose

import (
	"archive/tar"
	"cmp"
	"context"
	"debug/elf"
	"errors"
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
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// importTimeout bounds the making of an image.
const importTimeout = 2 * time.Minute

// ImportImage makes a container image of the server that the native provider has
// for t, or fetches, and returns its name, toriibench/ENGINE:VERSION unless
// [Options].Image is another. No registry is needed, and there is nothing in the
// image but the server and its libraries: no shell, no system. The docker provider
// takes such an image where the official one is not on this machine. An image of
// the same name is replaced.
func ImportImage(ctx context.Context, t Target, opts Options) (name string, err error) {
	eng, err := openEngine(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, eng.api.Close()) }()
	prog, err := obtain(ctx, t, opts)
	if err != nil {
		return "", fmt.Errorf("find server for %s: %w", t, err)
	}
	name = cmp.Or(opts.Image, strings.ReplaceAll(localTemplate(prog.engine), versionMark, prog.version))
	return name, eng.importProgram(ctx, prog, name)
}

// RemoveImage removes an image that ImportImage made. One that is not there is no
// error.
func RemoveImage(ctx context.Context, name string) (err error) {
	eng, err := openEngine(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.api.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	if _, err := eng.api.ImageRemove(ctx, name, client.ImageRemoveOptions{Force: true}); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove image %s: %s", name, engineWords(err))
	}
	return nil
}

// localTemplate is what images are called that ImportImage makes.
func localTemplate(engineName string) string {
	return programName + "/" + engineName + ":" + versionMark
}

// importProgram makes an image of a server program.
func (e *engine) importProgram(ctx context.Context, prog program, name string) error {
	ctx, cancel := context.WithTimeout(ctx, importTimeout)
	defer cancel()
	files, err := prog.rootFiles(ctx)
	if err != nil {
		return fmt.Errorf("make image %s: %w", name, err)
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(writeRoot(writer, files)) }()
	result, err := e.api.ImageImport(ctx, client.ImageImportSource{Source: reader, SourceName: "-"}, name, client.ImageImportOptions{
		Message: "toriibench: " + prog.origin,
		Changes: []string{
			"ENV LD_LIBRARY_PATH=/lib", "EXPOSE 6379", "WORKDIR /data",
			"ENTRYPOINT [\"/" + prog.imagePath() + "\"]",
		},
	})
	if err != nil {
		return errors.Join(fmt.Errorf("make image %s: %s", name, engineWords(err)), reader.Close())
	}
	text, err := io.ReadAll(result)
	if err == nil && strings.Contains(string(text), "errorDetail") {
		err = errors.New(strings.TrimSpace(string(text)))
	}
	if err := errors.Join(err, result.Close()); err != nil {
		return fmt.Errorf("make image %s: %w", name, err)
	}
	return nil
}

// imagePath is where the program is in an image.
func (p program) imagePath() string { return "usr/local/bin/" + p.engine + "-server" }

// rootFiles maps the paths in an image to the files here that the program needs:
// its binary, the libraries, and the loader where the binary expects it.
func (p program) rootFiles(ctx context.Context) (map[string]string, error) {
	argv := p.command()
	binary, loader := argv[len(argv)-1], argv[:len(argv)-1]
	binary, err := filepath.EvalSymlinks(binary)
	if err != nil {
		return nil, fmt.Errorf("find server program: %w", err)
	}
	list := []string{"ldd", binary}
	if len(loader) > 0 {
		list = slices.Concat(loader, []string{"--list", binary})
	}
	out, err := exec.CommandContext(ctx, list[0], list[1:]...).Output()
	if err != nil {
		return nil, fmt.Errorf("list libraries with %s: %w", strings.Join(list, " "), err)
	}
	files := map[string]string{p.imagePath(): binary}
	for _, found := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		files["lib/"+path.Base(found[1])] = found[1]
	}
	interpreter, err := interpreterOf(binary)
	if err != nil {
		return nil, err
	}
	files[strings.TrimPrefix(interpreter, "/")] = interpreter
	if len(loader) > 0 {
		files[strings.TrimPrefix(interpreter, "/")] = loader[0]
	}
	return files, nil
}

// interpreterOf is the path of the loader that a binary asks for.
func interpreterOf(binary string) (string, error) {
	file, err := elf.Open(binary)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", binary, err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	for _, header := range file.Progs {
		if header.Type != elf.PT_INTERP {
			continue
		}
		text, err := io.ReadAll(header.Open())
		if err != nil {
			return "", fmt.Errorf("read %s: %w", binary, err)
		}
		return strings.TrimRight(string(text), "\x00"), nil
	}
	return "", fmt.Errorf("read %s: it asks for no loader; an image is made of dynamically linked servers", binary)
}

// writeRoot writes files, keyed by their path in the image, as a tar. The same
// files give the same bytes.
func writeRoot(w io.Writer, files map[string]string) error {
	archive := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content, err := os.ReadFile(files[name])
		if err != nil {
			return fmt.Errorf("read a file of the image: %w", err)
		}
		header := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("write %s into the image: %w", name, err)
		}
		if _, err := archive.Write(content); err != nil {
			return fmt.Errorf("write %s into the image: %w", name, err)
		}
	}
	return archive.Close()
}
