package suite_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/chart"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/report"
	"github.com/m2mguard/m2mguard/bench/internal/size"
	"github.com/m2mguard/m2mguard/bench/internal/suite"
)

func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelWarn) // key sets are fetched and change all the time
	os.Exit(m.Run())
}

// A run on the smallest scale, to the last page of the report.
func TestRunReportAndCharts(t *testing.T) {
	results, err := suite.Run(suite.Options{
		Options:  measure.Options{Count: 1, Batch: 100 * time.Microsecond},
		Tokens:   200,
		Services: size.Services[:2], // the others take their time where nothing of them was built
		Log:      t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(results.Sockets.One) != 10 || len(results.Sockets.Many) != 10 || len(results.Sizes) != 2 {
		t.Errorf("%d and %d servers, %d sizes, wanted 10, 10 and 2", len(results.Sockets.One), len(results.Sockets.Many), len(results.Sizes))
	}
	if len(results.Verify) != 4 || len(results.Rejected) != 5 || len(results.Dear) != 4 || len(results.Reuse) != 3 {
		t.Errorf("%d algorithms, %d rejections, %d of dear ones, %d numbers of tokens, wanted 4, 5, 4 and 3",
			len(results.Verify), len(results.Rejected), len(results.Dear), len(results.Reuse))
	}

	text := report.Markdown(results, report.Run{Command: "go run .", Count: 1, Batch: time.Millisecond})
	for _, c := range results.Contenders {
		if !strings.Contains(text, "**"+c.Name+"** (") {
			t.Errorf("the report does not say how %s was set up", c.Name)
		}
	}
	for _, line := range report.Acceptance(results) {
		if !strings.Contains(text, line.What) {
			t.Errorf("the report leaves out %q", line.What)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("the report holds what is no number:\n%s", text)
	}

	charts, err := chart.All(results)
	if err != nil {
		t.Fatal(err)
	}
	for name, svg := range charts {
		if err := wellFormed(svg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, part := range []string{`role="img"`, "<title id=", "<desc id=", "#0B7285"} { // the last is our colour
			if !bytes.Contains(svg, []byte(part)) {
				t.Errorf("%s has no %s", name, part)
			}
		}
	}
	// A square of the legend has the colours of everybody's bars: a strip of ours beside one
	// of the others'.
	const square = `(?m)^<path d="M([0-9.]+),-?[0-9.]+L([0-9.]+)[^"]*" style="fill:#%s`
	for _, colours := range [][2]string{{"0B7285", "868E96"}, {"4DABBF", "C9CED4"}} {
		var edges [2][][]byte
		for i, colour := range colours {
			if all := regexp.MustCompile(fmt.Sprintf(square, colour)).FindAllSubmatch(charts["requests.svg"], -1); len(all) > 0 {
				edges[i] = all[len(all)-1]
			}
		}
		if edges[0] == nil || edges[1] == nil || !bytes.Equal(edges[0][2], edges[1][1]) {
			t.Errorf("requests.svg: the legend has no square of %q", colours)
		}
	}
}

func wellFormed(document []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(document))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
