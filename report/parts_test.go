package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/results"
)

func TestPartsStandBesideTheLag(t *testing.T) {
	run := tailRun(results.Valid, results.Degraded)
	for i := range run.Cells {
		o := run.Cells[i].Operations["get"]
		part := func(p50 float64) results.Percentiles { return results.Percentiles{P50: ptr(p50), P99: ptr(10 * p50)} }
		o.Lag = part(3)
		o.Parts = &results.Parts{Count: 10, Queue: part(4), Wire: part(50), Rest: part(6)}
		run.Cells[i].Operations["get"] = o
	}
	run.Cells[1].Retries = new(int64(7))
	got := table{}
	for _, one := range newDocument(run).parts[0].tables {
		if strings.HasSuffix(one.title, "where the time goes") {
			got = one
		}
	}
	var heads []string
	for _, c := range got.columns {
		heads = append(heads, strings.TrimSpace(c.head+" "+c.unit))
	}
	want := []string{
		"target", "client", "lag p50 µs", "queue p50 µs", "wire p50 µs", "rest p50 µs", "client retries",
		"lag p99 µs", "queue p99 µs", "wire p99 µs", "rest p99 µs",
	}
	if diff := cmp.Diff(want, heads); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	for i, want := range []string{
		"redis:1 go-redis 3.00 4.00 50.0 6.00 – 30.0 40.0 500 60.0",
		"redis:2 go-redis ~3.00 ~4.00 ~50.0 ~6.00 7 – – – –", // The tails of a degraded cell are no times.
	} {
		var texts []string
		for _, f := range got.rows[i] {
			texts = append(texts, f.text)
		}
		if diff := cmp.Diff(want, strings.Join(texts, " ")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestWithoutPartsThereIsServiceBesideTheLag(t *testing.T) {
	text := terminalText(t, tailRun(results.Valid), 200, false)
	if !strings.Contains(text, "get, where the time goes\ntarget   client       lag  service     lag  service\n") {
		t.Errorf("it says\n%s", text)
	}
	if empty := partsTable(scenarios(smallRun(map[string]float64{"redis:7.0": 300}))[0]); len(empty.rows) > 0 {
		t.Errorf("a table of nothing: %+v", empty)
	}
}

func TestServersOwnViewHasTheCommandsThatTookMostOfItsTime(t *testing.T) {
	run := tailRun(results.Valid, results.Valid)
	view := map[string]results.Command{}
	for i := range 8 {
		view[fmt.Sprintf("cmd%d", i)] = results.Command{Calls: 100, CPU: float64(i + 1)}
	}
	view["seldom"] = results.Command{Calls: 1, CPU: 90, Rejected: 2, Failed: 3}
	run.Cells[1].ServerView = &results.ServerView{Commands: view}
	s := scenarios(run)[0]
	var notes footnotes
	got := serverTable(s, &notes)
	var rows []string
	for _, r := range got.rows {
		rows = append(rows, r[0].text+" "+r[1].text+" "+r[2].text)
	}
	want := []string{"cmd7 – 8.00", "cmd6 – 7.00", "cmd5 – 6.00", "cmd4 – 5.00", "cmd3 – 4.00"}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantNotes := []string{
		"redis:2 × go-redis: of seldom the server rejected 2 calls, and 3 failed.",
		"The commands shown are 81 % of the time that the servers counted.", // 3000 of 3690.
	}
	if diff := cmp.Diff(wantNotes, notes.remarks); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
