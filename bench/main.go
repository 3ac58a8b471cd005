// Command bench compares m2mguard with other libraries and with the bare
// signature, side by side in one run, and writes a table and charts:
//
//	go run .          # everything, for the record: some minutes on an idle machine
//	go run . -quick   # the same on a small scale, to see that it works
//
// Nothing else should run at the same time.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/chart"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/report"
	"github.com/m2mguard/m2mguard/bench/internal/size"
	"github.com/m2mguard/m2mguard/bench/internal/suite"
)

func main() {
	log.SetFlags(log.Ltime)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	var (
		count = flag.Int("count", 12, "batches of each subject, at least 1; the figures are medians")
		batch = flag.Duration("batch", 60*time.Millisecond, "length of a batch")
		quick = flag.Bool("quick", false, "3 short batches and 10,000 tokens instead of a million, into results/raw")
		out   = flag.String("out", "results", "folder for results.md and the charts")
	)
	flag.Parse()
	options := suite.Options{
		Options:  measure.Options{Count: max(1, *count), Batch: *batch},
		Tokens:   1_000_000,
		Services: size.Services,
		Log:      log.Printf,
	}
	if *quick {
		options.Count, options.Batch, options.Tokens = 3, 5*time.Millisecond, 10_000
		*out = filepath.Join(*out, "raw")
	}
	slog.SetLogLoggerLevel(slog.LevelWarn) // key sets are fetched and change all the time

	results, err := suite.Run(options)
	if err != nil {
		return err
	}
	command := strings.Join(append([]string{"go run ."}, os.Args[1:]...), " ")
	markdown := report.Markdown(results, report.Run{Command: command, Count: options.Count, Batch: options.Batch, Quick: *quick})
	if err := write(*out, results, markdown); err != nil {
		return err
	}
	missed := "missed"
	if *quick {
		missed = "missed, which says nothing on this scale"
	}
	for _, line := range report.Acceptance(results) {
		if !line.OK {
			log.Printf("%s: %s: %s, wanted %s", missed, line.What, line.Measured, line.Bound)
		}
	}
	log.Printf("done in %v, see %s", results.Elapsed.Round(time.Second), filepath.Join(*out, "results.md"))
	return nil
}

// write puts everything into the folder: the report, the charts, and every
// single sample in raw/results.json.
func write(folder string, results *suite.Results, markdown string) error {
	files, err := chart.All(results)
	if err != nil {
		return err
	}
	files["results.md"] = []byte(markdown)
	raw := "results.json"
	if filepath.Base(folder) != "raw" {
		raw = filepath.Join("raw", raw)
	}
	if files[raw], err = json.MarshalIndent(results, "", "\t"); err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("writing results: %w", err)
		}
	}
	return nil
}
