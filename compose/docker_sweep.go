package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// sweepLook bounds the search for an engine before a sweep, since most
// machines have none.
const sweepLook = 250 * time.Millisecond

// errEngineGone marks what could not be done for want of the engine, which had
// answered before.
var errEngineGone = errors.New("the container engine is gone")

// sweepDocker removes the containers and networks that programs of this machine left behind
// when they were killed, and tells log of each. Without an engine there is
// nothing to do, and no error.
func sweepDocker(ctx context.Context, log io.Writer) error {
	eng, err := quickEngine(ctx)
	if errors.Is(err, errNoEngine) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(eng.sweep(ctx, log), eng.api.Close())
}

// quickEngine finds an engine that answers at once.
func quickEngine(ctx context.Context) (*engine, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepLook)
	defer cancel()
	return openEngine(ctx)
}

// sweep removes the containers, and then the networks, of owners that are gone.
func (e *engine) sweep(ctx context.Context, log io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	list, err := e.containers(ctx, labelProgram+"="+programName)
	if err != nil {
		return err
	}
	var errs []error
	for _, item := range list {
		if !abandoned(item.Labels) {
			continue
		}
		if err := e.remove(ctx, item.ID); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(log, "removed container %.12s of %s, left behind by a run that is gone\n", item.ID, item.Image)
	}
	return errors.Join(append(errs, e.sweepNetworks(ctx, log))...)
}

// abandoned tells whether the owner of a container or a network is gone for sure.
func abandoned(labels map[string]string) bool {
	owner := labels[labelOwner]
	return owner != "" && !ownerAlive(owner)
}

// containers lists the containers with a label, running or not.
func (e *engine) containers(ctx context.Context, label string) ([]container.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := e.api.ContainerList(ctx, client.ContainerListOptions{
		All:     true,
		Filters: make(client.Filters).Add("label", label),
	})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	return list.Items, nil
}

// remove kills and removes a container with its volumes. One that is not
// there, or that somebody else removes right now, is no error.
func (e *engine) remove(ctx context.Context, id string) error {
	_, err := e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{RemoveVolumes: true, Force: true})
	if err == nil || errdefs.IsNotFound(err) || strings.Contains(err.Error(), "already in progress") {
		return nil
	}
	if client.IsErrConnectionFailed(err) {
		return fmt.Errorf("remove container %.12s: %w: it may still run, and the next run of this program removes it once the engine is back", id, errEngineGone)
	}
	return fmt.Errorf("remove container %.12s: %s", id, engineWords(err))
}
