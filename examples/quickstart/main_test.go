package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tableRow finds a line of the table: API, kind of token, case, request, status.
var tableRow = regexp.MustCompile(`(?m)^(net/http|Echo|Gin) +(JWT|opaque) +[a-z ]+? +(GET|POST) /orders +(\d{3}|-) `)

func TestQuickstart(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), nil, &stdout, &stderr); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := len(tableRow.FindAllString(stdout.String(), -1)); n != 42 {
		t.Errorf("%d rows, wanted 3 APIs × 2 kinds × 7 cases", n)
	}
	for _, d := range drills {
		if n := len(regexp.MustCompile(`(?m)^`+d.name+` +[A-Z]`).FindAllString(stdout.String(), -1)); n != 1 {
			t.Errorf("%d lines about the drill %q", n, d.name)
		}
	}
	if strings.Contains(stdout.String(), "eyJ") {
		t.Error("a token was printed")
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error: %s", &stderr)
	}
	if t.Failed() {
		t.Log(&stdout)
	}
}

// Whatever goes wrong is marked where it happened and makes the exit code 1.
func TestSurprises(t *testing.T) {
	t.Run("no answers", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout, stderr bytes.Buffer
		if code := run(ctx, nil, &stdout, &stderr); code != 1 {
			t.Errorf("exit code %d, wanted 1", code)
		}
		if n := strings.Count(stdout.String(), "SURPRISE"); n != 42+len(drills) {
			t.Errorf("%d surprises are marked, wanted one for each row and drill: %s", n, &stdout)
		}
	})
	t.Run("a thief who gets in", func(t *testing.T) {
		d := startDemo(t)
		bearer := []step{{"the thief, without a proof", "Bearer", nil, http.StatusUnauthorized}}
		token := d.issuer.Token(issuertest.Claims{Audience: []string{audience}, Scope: "orders:read"}) // bound to nobody
		if err := d.try(t.Context(), d.apis[0], token, bearer); err == nil || !strings.Contains(err.Error(), "answered 200 to the thief") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no keys", func(t *testing.T) {
		d := startDemo(t)
		d.issuer.SetFault(issuertest.JWKS, issuertest.ServerError())
		var out bytes.Buffer
		const want = 3 * 3 // on each API: valid, missing scope, tampered
		if n := printTable(&out, runChecks(t.Context(), d)); n != want {
			t.Errorf("%d surprises, wanted %d", n, want)
		}
		if n := strings.Count(out.String(), "SURPRISE"); n != want {
			t.Errorf("%d surprises are marked, wanted %d: %s", n, want, &out)
		}
	})
}

func TestServe(t *testing.T) {
	d := startDemo(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	serve(ctx, d, &out)
	for _, a := range d.apis {
		if n := strings.Count(out.String(), a.url+"/orders\n"); n != 4 {
			t.Errorf("%d curl lines for %s, wanted 4: %s", n, a.name, &out)
		}
	}
}

func TestWrongUse(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-no-such-flag"}, &stdout, &stderr); code != 2 || stdout.Len() > 0 {
		t.Errorf("exit code %d, wanted 2, and printed %s", code, &stdout)
	}
}

func startDemo(t *testing.T) *demo {
	t.Helper()
	d, err := start(anyPorts, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}
