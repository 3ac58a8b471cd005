package adaptertest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/internal/trials/conformance"
)

// listed asks the conformance list of an API that is built with one of the adapters.
type listed struct {
	framework
	over conformance.OverHTTP
}

var _ conformance.Driver = listed{}

func (listed) Can(*conformance.Request) bool { return true }

func (l listed) Serve(t testing.TB, s *conformance.Setup) conformance.API {
	t.Helper()
	var cfg httpauth.Config
	if s.PublicURL != "" {
		cfg.PublicURL = []string{s.PublicURL}
	}
	return l.over.Serve(t, s, l.api(s.Validator, &cfg, serve))
}

// TestConformance: each gate answers what it must, and the same in each framework, every
// field of the header included, over HTTP/1.1 and HTTP/2.
func TestConformance(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		first := make(map[string]http.Header) // by case, gate and method, of the first framework
		for _, f := range frameworks {
			name := f.name + "/HTTP1"
			if http2 {
				name = f.name + "/HTTP2"
			}
			t.Run(name, func(t *testing.T) {
				times := make(map[string]int)
				conformance.Run(t, listed{f, conformance.OverHTTP{HTTP2: http2, Seen: func(t testing.TB, q *conformance.Request, h http.Header) {
					_, asked, _ := strings.Cut(t.Name(), name)
					asked += " " + q.Method + q.Route.Path()
					times[asked]++ // a proof is sent twice
					if q.Method == http.MethodHead {
						h.Del("Content-Type") // what is said of a body that is not written is a framework's own
						h.Del("Content-Length")
					}
					sameHeader(t, first, fmt.Sprintf("%s, %d", asked, times[asked]), h)
				}}})
			})
		}
	}
}

// sameHeader holds a header against that of the first framework, and its challenge against
// the grammar.
func sameHeader(t testing.TB, first map[string]http.Header, asked string, h http.Header) {
	t.Helper()
	for _, challenge := range h["Www-Authenticate"] {
		if _, err := parseChallenge(challenge); err != nil && !strings.Contains(challenge, "resource_metadata=") {
			t.Errorf("%s: challenge %q: %v", asked, challenge, err)
		}
	}
	header := h.Clone()
	header.Del("Date")
	if header.Get("Retry-After") != "" {
		header.Set("Retry-After", "…") // how long an outage has lasted
	}
	if first[asked] == nil {
		first[asked] = header
	}
	if diff := gocmp.Diff(first[asked], header); diff != "" {
		t.Errorf("%s: another header than in %s: %s", asked, frameworks[0].name, diff)
	}
}
