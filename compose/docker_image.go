package compose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

const (
	// pullTimeout bounds the download of an image.
	pullTimeout = 10 * time.Minute
	// versionMark stands for the version in an image's name.
	versionMark = "{version}"
	// newestTag is what stands for the newest version where no number does.
	newestTag = "latest"
)

// errNoImage is wrapped by the errors of an image that is not on this machine.
var errNoImage = errors.New("image is not on this machine")

// serverImage is a container image that is on this machine.
type serverImage struct {
	name string // as it was looked up, such as redis:8.0
	id   string // sha256:…, of its configuration
	// digest is what a registry knows it by, name@sha256:…; empty for an image
	// that was built or imported here.
	digest string
}

// origin names the image so that it can be found again.
func (i serverImage) origin() string {
	if _, digest, ok := strings.Cut(i.digest, "@"); ok {
		return "image " + i.name + "@" + digest
	}
	return "image " + i.name + " (" + i.id + ")"
}

// originOf is origin, and says so where the tag is a floating one, which may hold
// another version another day.
func (i serverImage) originOf(version string) string {
	if !floats(i.name, version) {
		return i.origin()
	}
	return i.origin() + ", a floating tag, " + version + " when this ran"
}

// floats tells whether an image's name leaves open which version it is: a tag that
// does not begin with the whole version, or none. An ID or a digest does not.
func floats(name, version string) bool {
	if strings.Contains(name, "@") || strings.HasPrefix(name, "sha256:") {
		return false
	}
	_, tag, _ := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ":")
	return tag != version && !strings.HasPrefix(tag, version+"-")
}

// imageTemplates are the names of images, with the mark for the version: the one
// that the environment says, or else the official one and what ImportImage makes.
func imageTemplates(engineName string) []string {
	if template := os.Getenv("TORIIBENCH_IMAGE_" + strings.ToUpper(engineName)); template != "" {
		return []string{template}
	}
	official := "redis:" + versionMark
	if engineName == Valkey {
		official = "valkey/valkey:" + versionMark
	}
	return []string{official, localTemplate(engineName)}
}

// findImage finds the image for t without any download: override when it is
// set; else the tag that is t's version, else the newest tag that refines it,
// as 8.1.3 refines 8.1. A target without a version takes the newest tag. With
// errNoImage the returned image has the name to pull.
func (e *engine) findImage(ctx context.Context, t Target, override string) (serverImage, error) {
	if override != "" {
		return e.inspectImage(ctx, override)
	}
	templates := imageTemplates(t.Engine)
	for _, template := range templates {
		if img, err := e.findTagged(ctx, t, template); !errors.Is(err, errNoImage) {
			return img, err
		}
	}
	name := strings.ReplaceAll(templates[0], versionMark, cmp.Or(t.Version, DefaultVersion(t.Engine)))
	return serverImage{name: name}, fmt.Errorf("find %s: %w", name, errNoImage)
}

// findTagged finds the image for t among those of one template.
func (e *engine) findTagged(ctx context.Context, t Target, template string) (serverImage, error) {
	exact := strings.ReplaceAll(template, versionMark, cmp.Or(t.Version, newestTag))
	if t.Version != "" {
		if img, err := e.inspectImage(ctx, exact); !errors.Is(err, errNoImage) {
			return img, err
		}
	}
	tags, err := e.imageTags(ctx)
	if err != nil {
		return serverImage{}, err
	}
	return e.inspectImage(ctx, cmp.Or(newestImage(tags, template, t.Version), exact))
}

// inspectImage looks an image up by its name or ID.
func (e *engine) inspectImage(ctx context.Context, name string) (serverImage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	img := serverImage{name: name}
	found, err := e.api.ImageInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return img, fmt.Errorf("find %s: %w", name, errNoImage)
	}
	if err != nil {
		return img, fmt.Errorf("inspect image %s: %w", name, err)
	}
	img.id = found.ID
	if len(found.RepoDigests) > 0 {
		img.digest = found.RepoDigests[0]
	}
	return img, nil
}

// imageTags lists the names of all images on this machine.
func (e *engine) imageTags(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := e.api.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var tags []string
	for _, item := range list.Items {
		tags = append(tags, item.RepoTags...)
	}
	return tags, nil
}

// newestImage returns the tag that fits the template with the highest version
// that is, or refines, the asked one; no asked version takes any. Tags with words in them,
// such as 8.0-alpine, are other builds and are passed over.
func newestImage(tags []string, template, version string) string {
	before, after, ok := strings.Cut(template, versionMark)
	if !ok {
		return ""
	}
	newest, best := "", []int(nil)
	for _, tag := range tags {
		rest, fits := strings.CutPrefix(tag, before)
		found, ends := strings.CutSuffix(rest, after)
		numbers, err := versionNumbers(found)
		if !fits || !ends || err != nil || !matches(found, version) {
			continue
		}
		if slices.Compare(numbers, best) > 0 {
			newest, best = tag, numbers
		}
	}
	return newest
}

// versionNumbers reads a version of numbers with dots between.
func versionNumbers(version string) ([]int, error) {
	var numbers []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("read version %q: %w", version, err)
		}
		numbers = append(numbers, int(n))
	}
	return numbers, nil
}

// obtainImage finds the image for t, and pulls it when it is not here and
// opts do not forbid downloads.
func (e *engine) obtainImage(ctx context.Context, t Target, opts Options) (serverImage, error) {
	img, err := e.findImage(ctx, t, opts.Image)
	if !errors.Is(err, errNoImage) {
		return img, err
	}
	if opts.Offline {
		return img, explainNoImage(t, img.name, err)
	}
	if err := e.pull(ctx, img.name, opts.log()); err != nil {
		return img, err
	}
	return e.inspectImage(ctx, img.name)
}

// explainNoImage says how to get an image, or how to do without.
func explainNoImage(t Target, name string, err error) error {
	return fmt.Errorf("%w: get it with \"docker pull %s\", make one of the distribution's package with \"toriibench servers image %s\", name another one in TORIIBENCH_IMAGE_%s, or take --provider native",
		err, name, fetchName(t), strings.ToUpper(t.Engine))
}

// pull downloads an image and tells log about it.
func (e *engine) pull(ctx context.Context, name string, log io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	began := time.Now()
	fmt.Fprintf(log, "pulling image %s\n", name)
	if err := e.download(ctx, name); err != nil {
		return fmt.Errorf("pull image %s: the engine could not fetch it (%s); bring it in with \"docker load\", or take --provider native: %w",
			name, engineWords(err), errNoImage)
	}
	fmt.Fprintf(log, "pulled image %s in %s\n", name, time.Since(began).Round(time.Second))
	return nil
}

// download pulls an image with the user's own registry credentials, if any.
func (e *engine) download(ctx context.Context, name string) error {
	auth, err := e.registryAuth(ctx, name)
	if err != nil {
		return err
	}
	stream, err := e.api.ImagePull(ctx, name, client.ImagePullOptions{RegistryAuth: auth})
	if err != nil {
		return err
	}
	return errors.Join(stream.Wait(ctx), stream.Close())
}

// engineWords is an engine's error on one line, without its usual first words.
func engineWords(err error) string {
	text := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	return strings.Join(strings.Fields(text), " ")
}
