package runner

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/toriibench/toriibench/compose"
)

func (p *program) serversCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "servers",
		Short: "List, fetch and pack the servers that can be started",
		Long: `The native provider starts servers that are on the PATH, or fetches them from the
distribution's own package archive into a per-user cache, without root and
without touching the system.`,
	}
	cmd.AddCommand(p.serversListCommand(), p.serversFetchCommand(), p.serversImageCommand())
	return cmd
}

func (p *program) serversListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the servers that are here and those that can be fetched",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.listServers(cmd.Context(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) listServers(ctx context.Context, asJSON bool) error {
	// What could be listed is there beside an error.
	entries, err := compose.Servers(ctx)
	if asJSON {
		return errors.Join(printJSON(p.stdout, entries), err)
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVER\tVERSION\tWHERE\tSUITE\tPATH")
	for _, e := range entries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", e.Engine, e.Version, placeWords(e), e.Suite, e.Path)
		for _, warning := range e.Warnings {
			fmt.Fprintf(table, "\t  %s\n", warning)
		}
	}
	return errors.Join(table.Flush(), err)
}

// placeWords says where a server is in words.
func placeWords(e compose.ServerEntry) string {
	switch {
	case e.Where == compose.OnPath:
		return "installed"
	case e.Where == compose.InCache:
		return "fetched"
	case e.Default:
		return "can be fetched (default)"
	default:
		return "can be fetched"
	}
}

func (p *program) serversFetchCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "fetch TARGET…",
		Short:   "Fetch servers into the per-user cache",
		Example: "  toriibench servers fetch redis:8.0 valkey:8.1",
		RunE: func(cmd *cobra.Command, words []string) error {
			return p.fetchServers(cmd.Context(), words, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) fetchServers(ctx context.Context, words []string, asJSON bool) error {
	if len(words) == 0 {
		return usage(errors.New("name what to fetch, for example redis:8.0 or valkey:8.1"))
	}
	targets, err := startedTargets(words)
	if err != nil {
		return usage(err)
	}
	var fetched []compose.ServerEntry
	for _, t := range targets {
		entry, err := compose.Fetch(ctx, t.Engine, t.Version, p.stderr)
		if err != nil {
			return err
		}
		fetched = append(fetched, entry)
		if !asJSON {
			fmt.Fprintf(p.stdout, "%s %s in %s\n", entry.Engine, entry.Version, entry.Path)
		}
	}
	if asJSON {
		return printJSON(p.stdout, fetched)
	}
	return nil
}

// startedTargets reads targets that no URL names, from several words or one with
// commas.
func startedTargets(words []string) ([]compose.Target, error) {
	targets, err := compose.ParseTargets(words)
	for _, t := range targets {
		if t.URL != "" {
			return nil, fmt.Errorf("%s is a running server, there is nothing to fetch", t)
		}
	}
	return targets, err
}

func (p *program) serversImageCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "image TARGET…",
		Short: "Make container images of servers, without a registry",
		Long: `Make a container image, toriibench/ENGINE:VERSION, of each server: the one that the
native provider has or fetches from the distribution's package archive, its
libraries, and nothing else. The docker provider takes it where the official
image is not on this machine, for example on a runner without a network.`,
		Example: "  toriibench servers image redis:8.0 valkey:8.1",
		RunE: func(cmd *cobra.Command, words []string) error {
			return p.imageServers(cmd.Context(), words)
		},
	}
}

func (p *program) imageServers(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return usage(errors.New("name what to make images of, for example redis:8.0 or valkey:8.1"))
	}
	targets, err := startedTargets(words)
	if err != nil {
		return usage(err)
	}
	for _, t := range targets {
		name, err := compose.ImportImage(ctx, t, compose.Options{Log: p.stderr})
		if err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, name)
	}
	return nil
}
