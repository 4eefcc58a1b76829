package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/toriibench/toriibench/report"
	"github.com/toriibench/toriibench/results"
)

func (p *program) reportCommand() *cobra.Command {
	var o reportOptions
	cmd := &cobra.Command{
		Use:   "report [DIR…]",
		Short: "Render runs again, from their files alone",
		Long: `report draws the pictures of each run again, writes what other tools read (bench.txt
for benchstat, .hgrm for the HdrHistogram plotters) and prints its tables. Without
a folder it takes the newest run below results/runs.`,
		RunE: func(_ *cobra.Command, dirs []string) error { return p.report(&o, dirs) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print run.json to stdout instead of tables")
	f.BoolVar(&o.markdown, "markdown", false, "print Markdown instead of tables")
	return cmd
}

type reportOptions struct {
	json, markdown bool
}

// runsDir is where bench writes unless told otherwise.
const runsDir = "results/runs"

func (p *program) report(o *reportOptions, dirs []string) error {
	if o.json && o.markdown {
		return usage(errors.New("give --json or --markdown, not both"))
	}
	if len(dirs) == 0 {
		newest, err := results.Latest(runsDir)
		if err != nil {
			return usage(err)
		}
		dirs = []string{newest}
	}
	for _, dir := range dirs {
		run, err := results.Read(dir)
		if err != nil {
			return err
		}
		if err := p.tell(run, folder(dir), o); err != nil {
			return err
		}
	}
	return nil
}

// folder is the run's folder, whether it was named itself or by its run.json.
func folder(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// tell draws a run's pictures and prints it in the form that was asked for.
func (p *program) tell(run *results.Run, dir string, o *reportOptions) error {
	pictures, drawErr := draw(run, dir)
	switch {
	case o.json:
		return errors.Join(copyRun(p.stdout, dir), drawErr)
	case o.markdown:
		return errors.Join(report.Markdown(p.stdout, run, pictures...), drawErr)
	}
	err := report.Terminal(p.stdout, run, terminalWidth(p.stdout), wantColor(p.stdout))
	p.listPictures(dir, pictures)
	return errors.Join(err, drawErr)
}

// draw draws a run's pictures into its folder, and writes the files for other
// tools beside them. Numbers are told whether or not it succeeds, and what needs
// no histograms is written without them.
func draw(run *results.Run, dir string) ([]report.Picture, error) {
	log, err := results.ReadLog(dir)
	if err != nil {
		_, exportErr := report.Export(run, nil, dir)
		return nil, errors.Join(err, exportErr)
	}
	pictures, err := report.Render(run, log, dir)
	_, exportErr := report.Export(run, log, dir)
	return pictures, errors.Join(err, exportErr)
}

// listPictures says where the run is and what its pictures show.
func (p *program) listPictures(dir string, pictures []report.Picture) {
	if len(pictures) == 0 {
		return
	}
	fmt.Fprintf(p.stdout, "\nPictures (SVG and PNG), histograms (.hlog, .hgrm) and numbers (run.json, bench.txt for benchstat) are in %s:\n", dir)
	for _, picture := range pictures {
		if picture.Note != "" {
			fmt.Fprintf(p.stdout, "  %s: no picture, %s\n", picture.Scenario, picture.Note)
			continue
		}
		fmt.Fprintf(p.stdout, "  %-32s %s\n", picture.PNG, picture.Caption)
	}
}

// copyRun prints run.json as it was written.
func copyRun(w io.Writer, dir string) error {
	f, err := os.Open(filepath.Join(dir, results.RunFile))
	if err != nil {
		return fmt.Errorf("print the run: %w", err)
	}
	defer func() { _ = f.Close() }() // It was only read.
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("print the run: %w", err)
	}
	return nil
}
