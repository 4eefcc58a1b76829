package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/scenarios"
)

func (p *program) listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List scenarios, targets and clients",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.list(cmd.Context(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listing is what there is to choose from.
type listing struct {
	Scenarios []listedScenario `json:"scenarios"`
	Targets   []string         `json:"targets"`
	Clients   []string         `json:"clients"`
}

type listedScenario struct {
	Name       string   `json:"name"`
	About      string   `json:"about"`
	Operations []string `json:"operations"`
	Headline   string   `json:"headline"`
	Rate       float64  `json:"rate"`
	Population int      `json:"population"`
}

func newListing(ctx context.Context) listing {
	l := listing{Targets: nativeTargets(ctx), Clients: clientNames()}
	for _, s := range scenarios.All() {
		l.Scenarios = append(l.Scenarios, listedScenario{
			Name: s.Name, About: s.About, Operations: s.Operations, Headline: s.Headline, Rate: s.Rate, Population: s.Population,
		})
	}
	return l
}

func (p *program) list(ctx context.Context, asJSON bool) error {
	l := newListing(ctx)
	if asJSON {
		return printJSON(p.stdout, l)
	}
	fmt.Fprintln(p.stdout, "Scenarios:")
	for _, s := range l.Scenarios {
		fmt.Fprintf(p.stdout, "\n  %s   %g operations/s, population %d\n", s.Name, s.Rate, s.Population)
		for _, line := range wrap(s.About, 90) {
			fmt.Fprintf(p.stdout, "    %s\n", line)
		}
		fmt.Fprintf(p.stdout, "    operations: %s\n", strings.Join(s.Operations, ", "))
	}
	fmt.Fprintf(p.stdout, "\nTargets:\n\n  %s\n  or the URL of a running server, redis://…\n", strings.Join(l.Targets, ", "))
	fmt.Fprintf(p.stdout, "\nClients:\n\n  %s\n", strings.Join(l.Clients, ", "))
	return nil
}

// nativeTargets are what the native provider has or can get. What cannot be
// listed is left out: servers list tells why.
func nativeTargets(ctx context.Context) []string {
	entries, _ := compose.Servers(ctx)
	var targets []string
	for _, e := range entries {
		parts := strings.SplitN(e.Version, ".", 3)
		targets = append(targets, e.Engine+":"+strings.Join(parts[:min(2, len(parts))], "."))
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// printJSON prints v for a program to read.
func printJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}
