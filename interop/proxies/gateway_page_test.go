//go:build interop

package proxies_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// page is docs/gateway.md.
const page = "../../docs/gateway.md"

// block is the first block of a language in the page.
func block(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n```"+language+"\n")
	code, _, closed := strings.Cut(after, "\n```\n")
	if !found || !closed {
		t.Fatalf("%s has no block of %s", page, language)
	}
	return code
}

// curl is a line of the page: its target, what else stands in it, and its remark.
var curl = regexp.MustCompile(`(?m)^curl -i (?:--path-as-is )?http://api\.example\.com(\S*)(?: -H "([^"]*)")? *# (.*)$`)

// lines are the page's lines of curl for each proxy, which are the same.
func lines(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const each, products = 3, 6
	all := curl.FindAllStringSubmatch(string(text), -1)
	if len(all) != each*products || strings.Count(string(text), "\ncurl ") != len(all) {
		t.Fatalf("%d lines of curl, wanted %d", len(all), each*products)
	}
	for n, line := range all {
		if line[0] != all[n%each][0] {
			t.Errorf("%q, wanted %q as for the first proxy", line[0], all[n%each][0])
		}
	}
	return all[:each]
}

// TestPage: with the page's file and each proxy's block, the page's lines of curl get what
// their remarks say.
func TestPage(t *testing.T) {
	for _, p := range gates {
		t.Run(p.name, func(t *testing.T) {
			iss := issuertest.New(t)
			file := strings.NewReplacer(
				"url: https://id.example.com, audience: [https://api.example.com]", "url: "+iss.URL()+", audience: ["+issuertest.Audience+"]",
				"proxy: nginx ", "proxy: "+p.inFile()+" ",
			).Replace("\n" + block(t, "yaml") + "\n")
			s := p.raise(t, iss, file)
			token := iss.Token(issuertest.Claims{Scope: "orders:read"})
			for _, line := range lines(t) {
				target, header, remark := line[1], strings.ReplaceAll(line[2], "$TOKEN", token), line[3]
				if header != "" {
					header += "\r\n"
				}
				word, _, _ := strings.Cut(remark, ",")
				want, err := strconv.Atoi(word)
				if own := remark == "the API's own answer"; own {
					want = 200
				} else if err != nil {
					t.Fatalf("%q says nothing of a status", remark)
				}
				s.take()
				status, got := s.raw(t, target, header), s.take()
				if status != want || (len(got) == 1) != (want == 200) {
					t.Errorf("%s: %d, and the API was reached %d times, wanted %s", target, status, len(got), remark)
				}
			}
		})
	}
}

// TestGateAway: nobody passes while the gate cannot be asked, and a script says when to
// come again.
func TestGateAway(t *testing.T) {
	for _, p := range gates {
		if p.play != nil {
			continue // whose documentation says so
		}
		t.Run(p.name, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the API was reached") }))
			t.Cleanup(api.Close)
			s := new(stand)
			p.start(t, s, strings.TrimPrefix(api.URL, "http://"), freeAddress(t))
			response := s.ask(t, "GET", "/public/x", nil)
			if response.StatusCode < 500 || p.lua && (response.StatusCode != 503 || response.Header.Get("Retry-After") == "") {
				t.Errorf("%d %v", response.StatusCode, response.Header)
			}
		})
	}
}

// TestSecret: the scripts show the secret at their top, and the API never sees it.
func TestSecret(t *testing.T) {
	const shown = "the secret that a script shows"
	t.Setenv("GATE_SECRET", shown)
	for _, p := range gates {
		if !p.lua {
			continue
		}
		for secret, want := range map[string]int{shown: 200, "": 403, "another secret of a script": 403} {
			one := *p
			one.secret = secret
			iss := issuertest.New(t)
			s := one.raise(t, iss, one.file(iss, "{headers: true}\n  secrets: [{env: GATE_SECRET}]"))
			response := s.ask(t, "GET", "/public/x", http.Header{"X-Auth-Secret": {shown}})
			if response.StatusCode != want {
				t.Errorf("%s, with %q: %d, wanted %d", p.name, secret, response.StatusCode, want)
			}
			for _, got := range s.take() {
				if got.Header["X-Auth-Secret"] != nil {
					t.Errorf("%s: the API sees the secret", p.name)
				}
			}
		}
	}
}
