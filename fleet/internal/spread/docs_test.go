package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestFiguresStandInResults: what docs/fleet.md says of the worst run is what results.md has.
func TestFiguresStandInResults(t *testing.T) {
	page, err := os.ReadFile("../../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	results, err := os.ReadFile("results.md")
	if err != nil {
		t.Fatal(err)
	}
	p99, maximum := 0, 0
	for _, run := range regexp.MustCompile(`(?m)^\| \d+ \|.*\| (\d+) ms \| (\d+) ms \|$`).FindAllStringSubmatch(string(results), -1) {
		for n, worst := range []*int{&p99, &maximum} {
			ms, err := strconv.Atoi(run[n+1])
			if err != nil {
				t.Fatal(err)
			}
			*worst = max(*worst, ms)
		}
	}
	loaded := regexp.MustCompile(`100,000 entries are loaded and opened in [0-9.]+ s, [a-z]+ times as long`).FindString(string(page))
	if want := fmt.Sprintf("the worst p99 was %d ms, and the worst maximum %d ms", p99, maximum); p99 == 0 || !strings.Contains(string(page), want) {
		t.Errorf("docs/fleet.md does not say: %s", want)
	}
	if loaded == "" || !strings.Contains(string(results), loaded) {
		t.Errorf("results.md does not say: %s", loaded)
	}
}
