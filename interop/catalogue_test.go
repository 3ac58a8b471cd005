//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/trials/proofs"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestCatalogueByOAuth4WebAPI has oauth4webapi's own check of a resource server judge
// the catalogue of proofs. It agrees with us on each proof that it can judge, but for
// those that are listed, and that README.md says something about.
func TestCatalogueByOAuth4WebAPI(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	iss.SetClock(proofs.Now)
	cases := proofs.All(func(thumbprint string) string {
		return iss.Token(issuertest.Claims{Algorithm: "ES256", JWKThumbprint: thumbprint})
	})
	rows := make(map[string]int) // by name
	for _, tc := range cases {
		rows[tc.Name]++
	}
	beyondIt, disputed := listed(t, beyondOAuth4WebAPI, rows), listed(t, disputes, rows)
	differ := make(map[string]int) // by dispute
	judged := 0
	for n, why := range judgedByOAuth4WebAPI(t, iss, cases) {
		tc := cases[n]
		if beyondIt[tc.Name] != "" {
			continue
		}
		judged++
		tallyOf(t).Add(1)
		verdict := "it accepts the proof"
		if why != nil {
			verdict = *why
		}
		switch agree := (why != nil) == tc.Hostile(); {
		case strings.HasPrefix(verdict, "no request: "):
			t.Errorf("%q: it cannot judge what it does not see", tc.Name)
		case agree:
		case disputed[tc.Name] != "":
			differ[disputed[tc.Name]]++
		default:
			t.Errorf("%q: %s, and dpop's check is %q (%s)", tc.Name, verdict, tc.Want, tc.Cite)
		}
	}
	table, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range disputes {
		if differ[d.about] == 0 { // some rows go by Node's version, or by the bits of a signature
			t.Errorf("%s: nothing is disputed any more", d.about)
		}
		if row := fmt.Sprintf("\n| %s | %d |", d.about, len(d.names)); !strings.Contains(string(table), row) {
			t.Errorf("README.md has no row %q", row)
		}
	}
	t.Logf("oauth4webapi judged %d of %d proofs, and differs on %d", judged, len(cases), sum(differ))
}

func sum(counts map[string]int) (all int) {
	for _, n := range counts {
		all += n
	}
	return all
}

// listed is where each name of some lists stands. Each is of one row.
func listed(t *testing.T, lists []proofList, rows map[string]int) map[string]string {
	t.Helper()
	where := make(map[string]string)
	for _, l := range lists {
		for _, name := range l.names {
			if rows[name] != 1 || where[name] != "" {
				t.Errorf("%s: %q names %d proofs of the catalogue, or is listed twice", l.about, name, rows[name])
			}
			where[name] = l.about
		}
	}
	return where
}

// judgedByOAuth4WebAPI returns why each proof is refused, or nil.
func judgedByOAuth4WebAPI(t *testing.T, iss *issuertest.Issuer, cases []proofs.Case) []*string {
	t.Helper()
	res, err := iss.Client().Get(iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	keys, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		Milliseconds int64    `json:"milliseconds"` // since 1970, when it comes
		Method       string   `json:"method"`
		URL          string   `json:"url"`
		Token        string   `json:"token"`
		Proofs       []string `json:"proofs"`
		Algorithms   []string `json:"algorithms,omitzero"`
	}
	var requests []request
	for _, tc := range cases {
		r := request{Milliseconds: tc.Now.UnixMilli(), Method: tc.Method, URL: tc.URL, Token: tc.Token, Proofs: tc.Proofs}
		if tc.Config == proofs.OnlyES256 {
			r.Algorithms = []string{"ES256"}
		}
		requests = append(requests, r)
	}
	stdin, err := json.Marshal(struct {
		Issuer   string         `json:"issuer"`
		Keys     jsontext.Value `json:"jwks"`
		Audience string         `json:"audience"`
		Requests []request      `json:"requests"`
	}{iss.URL(), keys, issuertest.Audience, requests})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), replyTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "client/judge.mjs")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("oauth4webapi: %v: %s", err, &stderr)
	}
	var verdicts []*string
	if err := json.Unmarshal(stdout, &verdicts); err != nil || len(verdicts) != len(cases) {
		t.Fatalf("%d verdicts on %d proofs: %v", len(verdicts), len(cases), err)
	}
	return verdicts
}
