package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/toriibench/toriibench/compose"
)

func (p *program) serversCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "servers",
		Short: "List and fetch the servers that the native provider can start",
		Long: `The native provider starts servers that are on the PATH, or fetches them from the
distribution's own package archive into a per-user cache, without root and
without touching the system.`,
	}
	cmd.AddCommand(p.serversListCommand(), p.serversFetchCommand())
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
	var targets []compose.Target
	for word := range strings.SplitSeq(strings.Join(words, ","), ",") {
		t, err := compose.ParseTarget(word)
		if err != nil {
			return usage(err)
		}
		if t.URL != "" {
			return usage(fmt.Errorf("%s is a running server, there is nothing to fetch", t))
		}
		targets = append(targets, t)
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
