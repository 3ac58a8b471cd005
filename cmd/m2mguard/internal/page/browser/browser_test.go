//go:build browser

// Package browser_test drives the page of "m2mguard explain --web" with a real browser.
package browser_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/command"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

var update = flag.Bool("update", false, "write the pictures of the page into docs/")

const (
	// issuer is whom the tokens are from; its keys are those of issuertest.
	issuer = "https://id.example.com"
	// limit bounds the whole drive, browser's start included.
	limit = 5 * time.Minute
	// maxPicture is how large a picture in docs/ may be, in bytes.
	maxPicture = 150_000
	// tried is how many things browser.mjs tries.
	tried = 13
)

// job is what browser.mjs is told.
type job struct {
	Address  string            `json:"address"`
	Stranger string            `json:"stranger"` // a site of somebody else's
	Issuer   string            `json:"issuer"`
	Chromium string            `json:"chromium"`
	Pictures string            `json:"pictures"`
	Scratch  string            `json:"scratch"`
	Tokens   map[string]string `json:"tokens"`
}

// TestPage runs the program as its user does, and has a browser use it. What the program
// itself wrote must hold no token.
func TestPage(t *testing.T) {
	chromium := os.Getenv("M2MGUARD_CHROMIUM")
	if chromium == "" {
		t.Fatal("M2MGUARD_CHROMIUM names no Chromium: .ci/run browser finds or unpacks one")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	docs := filepath.Join(here, "../../../../../docs")
	iss := issuertest.New(t)
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>another site</title>")
	}))
	t.Cleanup(stranger.Close)
	j := job{
		Stranger: strings.Replace(stranger.URL, "127.0.0.1", "stranger.example", 1), Issuer: issuer, Chromium: chromium,
		Pictures: t.TempDir(), Scratch: t.TempDir(),
		Tokens: map[string]string{
			"good":    iss.Token(issuertest.Claims{Issuer: issuer, Scope: "orders:read"}),
			"expired": iss.Token(issuertest.Claims{Issuer: issuer, Scope: "orders:read", Audience: []string{"https://invoices.example.com"}, ExpiresIn: -23 * time.Hour}),
			"markup":  iss.Token(issuertest.Claims{Issuer: issuer, Audience: []string{"<img src=x onerror=document.title=1>"}}),
		},
	}
	if *update {
		j.Pictures = docs
	}
	address, end := open(t, iss)
	j.Address = address
	drive(t, here, j)
	written := end()
	for _, theme := range []string{"light", "dark"} {
		for _, folder := range []string{j.Pictures, docs} {
			name := filepath.Join(folder, "explain-"+theme+".png")
			if info, err := os.Stat(name); err != nil || info.Size() < 10_000 || info.Size() > maxPicture {
				t.Errorf("%s: %v, or it is not of 10 to %d kB", name, err, maxPicture/1000)
			}
		}
	}
	for name, token := range j.Tokens {
		for part := range strings.SplitSeq(token, ".") {
			if strings.Contains(written, part) {
				t.Errorf("the program wrote part of the token %s", name)
			}
		}
	}
}

// open starts the program, and returns the page's address. end ends the program, and
// returns what it wrote.
func open(t *testing.T, iss *issuertest.Issuer) (address string, end func() string) {
	t.Helper()
	config := fmt.Appendf(nil, "issuers: [{url: '%s', audience: [%s], keys: {url: '%s'}}]\n", issuer, issuertest.Audience, iss.JWKSURL())
	t.Chdir(t.TempDir())
	if err := os.WriteFile("m2mguard.yaml", config, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var errs bytes.Buffer
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- command.Run(ctx, []string{"explain", "--web"}, command.Surroundings{In: strings.NewReader(""), Out: w, Err: &errs, Getenv: func(string) string { return "" }})
		_ = w.Close()
	}()
	out := bufio.NewReader(r)
	address, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v: the program ended with %d: %s", err, <-ended, &errs)
	}
	return strings.TrimSpace(address), func() string {
		cancel()
		rest, _ := io.ReadAll(out) // ends with the program
		if code := <-ended; code != 0 {
			t.Errorf("the program ended with %d", code)
		}
		return address + string(rest) + errs.String()
	}
}

// drive runs browser.mjs, and a test for each thing that it tries.
func drive(t *testing.T, folder string, j job) {
	t.Helper()
	in, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "browser.mjs")
	cmd.Dir = folder
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("browser.mjs: %v", err)
	}
	count := 0
	for line := range bytes.Lines(out) {
		var result struct{ Name, Wrong string }
		if err := json.Unmarshal(line, &result); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		count++
		t.Run(result.Name, func(t *testing.T) {
			if result.Wrong != "" {
				t.Error(result.Wrong)
			}
		})
	}
	if count != tried {
		t.Errorf("%d things were tried, wanted %d", count, tried)
	}
}
