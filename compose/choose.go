package compose

import (
	"context"
	"fmt"
	"strings"
)

// Auto lets Choose decide where servers come from.
const Auto = "auto"

// Choose picks the provider for targets: the one that is named, or for [Auto]
// docker if it can serve all of them at once, and else native. A URL is always
// external, whatever is named, so a mixed list gets a provider that serves
// both. The second result is one line for people that says why.
func Choose(ctx context.Context, name string, targets []Target, opts Options) (provider Provider, why string, err error) {
	started := startedTargets(targets)
	if len(started) == 0 && len(targets) > 0 {
		return External(), "external: all targets are URLs", nil
	}
	provider, why, err = chooseStarter(ctx, name, started, opts)
	if err != nil {
		return nil, "", err
	}
	for _, t := range started {
		if err := t.Startable(); err != nil {
			return nil, "", err
		}
	}
	if len(started) < len(targets) {
		return mixed{Provider: provider}, why + "; URLs are external", nil
	}
	return provider, why, nil
}

// startedTargets are those that are no URLs.
func startedTargets(targets []Target) []Target {
	var started []Target
	for _, t := range targets {
		if t.URL == "" {
			started = append(started, t)
		}
	}
	return started
}

// chooseStarter picks among the providers that start servers.
func chooseStarter(ctx context.Context, name string, targets []Target, opts Options) (provider Provider, why string, err error) {
	switch name {
	case "", Auto:
		provider, why = chooseAuto(ctx, targets, opts)
		return provider, why, nil
	case "native":
		return Native(), "native: asked for", nil
	case "docker":
		return Docker(), "docker: asked for", nil
	case "external":
		return nil, "", fmt.Errorf("choose provider external: it serves URLs, and these are none: %s; "+
			"give a URL such as redis://127.0.0.1:6379, or another provider", join(targets))
	default:
		return nil, "", fmt.Errorf("choose provider: no provider %q; known are auto, native, docker and external", name)
	}
}

// chooseAuto takes docker only if nothing has to be downloaded for it; native
// gets by with less, a few megabytes for each server.
func chooseAuto(ctx context.Context, targets []Target, opts Options) (provider Provider, why string) {
	for _, t := range targets {
		if named := namedBinary(t.Engine, opts); named != "" {
			return Native(), "native: the server program " + named + " is named"
		}
	}
	docker := Docker()
	for _, t := range targets {
		if err := docker.Check(ctx, t); err != nil {
			return Native(), "native: docker cannot serve " + t.String() + " at once: " + firstLine(err.Error())
		}
	}
	return docker, "docker: it has an image for every target"
}

// join lists targets for a person.
func join(targets []Target) string {
	texts := make([]string, len(targets))
	for i, t := range targets {
		texts[i] = t.String()
	}
	return strings.Join(texts, ", ")
}

// mixed serves URLs with the external provider, and the rest with another.
type mixed struct{ Provider }

// Check is part of Provider.
func (m mixed) Check(ctx context.Context, t Target) error { return m.of(t).Check(ctx, t) }

// Start is part of Provider.
func (m mixed) Start(ctx context.Context, t Target, opts Options) (*Topology, error) {
	return m.of(t).Start(ctx, t, opts)
}

// of is the provider for a target.
func (m mixed) of(t Target) Provider {
	if t.URL != "" {
		return External()
	}
	return m.Provider
}
