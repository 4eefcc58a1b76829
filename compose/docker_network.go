package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// detachPoll is the pause between two attempts to remove a network whose last
// container is still leaving it.
const detachPoll = 50 * time.Millisecond

// makeNetwork makes the bridge network of one topology, and returns its name. A
// context that ends meanwhile does not break it off, since the engine completes
// a request whose sender has hung up.
func (e *engine) makeNetwork(ctx context.Context) (name string, err error) {
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	marker := newMarker()
	name = programName + "-" + marker
	if _, err = e.api.NetworkCreate(ctx, name, client.NetworkCreateOptions{Driver: "bridge", Labels: ownLabels(marker)}); err != nil {
		return "", errors.Join(explainNetwork(err), e.removeNetwork(ctx, name))
	}
	return name, nil
}

// explainNetwork says what a person can do about a network that is not made.
func explainNetwork(err error) error {
	hint := ""
	if strings.Contains(err.Error(), "address pool") {
		hint = "; \"docker network prune\" removes networks that nobody uses"
	}
	return fmt.Errorf("make a network for the servers: %s%s", engineWords(err), hint)
}

// removeNetwork removes a network, also when ctx is over. One that is not there
// is no error. One that a container is just leaving is waited for.
func (e *engine) removeNetwork(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	for {
		_, err := e.api.NetworkRemove(ctx, name, client.NetworkRemoveOptions{})
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if !strings.Contains(err.Error(), "active endpoints") || !pause(ctx, detachPoll) {
			return fmt.Errorf("remove network %s: %s", name, engineWords(err))
		}
	}
}

// networks lists the networks with a label.
func (e *engine) networks(ctx context.Context, label string) ([]network.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := e.api.NetworkList(ctx, client.NetworkListOptions{Filters: make(client.Filters).Add("label", label)})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	return list.Items, nil
}

// sweepNetworks removes the networks of owners that are gone, whose containers
// have been removed.
func (e *engine) sweepNetworks(ctx context.Context, log io.Writer) error {
	list, err := e.networks(ctx, labelProgram+"="+programName)
	if err != nil {
		return err
	}
	var errs []error
	for _, item := range list {
		if !abandoned(item.Labels) {
			continue
		}
		if err := e.removeNetwork(ctx, item.Name); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(log, "removed network %s, left behind by a run that is gone\n", item.Name)
	}
	return errors.Join(errs...)
}

// innerAddress is a container's address in a network.
func (e *engine) innerAddress(ctx context.Context, id, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return "", fmt.Errorf("inspect container %.12s: %s", id, engineWords(err))
	}
	if settings := found.Container.NetworkSettings; settings != nil {
		if at := settings.Networks[name]; at != nil && at.IPAddress.IsValid() {
			return at.IPAddress.String(), nil
		}
	}
	return "", fmt.Errorf("container %.12s has no address in network %s", id, name)
}
