package adaptertest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// told is what an observer hears of one request.
type told struct {
	kind                               observe.Kind
	check, client, scopes, route, want string
	unproven, source, reportOnly       bool
}

// TestWhatAnObserverIsTold: whatever refuses a request, and in each framework, the
// observer hears of it once, with the route and with whom it is about.
func TestWhatAnObserverIsTold(t *testing.T) {
	iss := issuertest.New(t)
	var mu sync.Mutex
	var heard []told
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{both(iss)},
		Observer: observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
			if e.Kind == observe.Refused || e.Kind == observe.Accepted {
				mu.Lock()
				defer mu.Unlock()
				heard = append(heard, told{e.Kind, e.Check, e.Client.Text, e.Scopes.Text, e.Route, e.Wanted, e.Client.Unproven, e.Source != "", e.ReportOnly})
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	read := func(client string) []string {
		return bearer(iss.Opaque(issuertest.Claims{ClientID: client, Scope: "orders:read"}))
	}
	no := observe.Refused
	for name, tc := range map[string]struct {
		path          string
		authorization []string
		want          []told
	}{
		"no token":                   {"/require", nil, []told{{kind: no, check: "missing", source: true}}},
		"no token, and none needed":  {"/optional", nil, nil},
		"no token, let through":      {"/report", nil, []told{{kind: no, check: "missing", source: true, reportOnly: true}}},
		"a bad one":                  {"/require", bearer(iss.Bad(issuertest.Expired, issuertest.Claims{})), []told{{kind: no, check: "exp", client: issuertest.ClientID, unproven: true, source: true}}},
		"a bad one, let through":     {"/report", bearer(iss.Bad(issuertest.Expired, issuertest.Claims{})), []told{{kind: no, check: "exp", client: issuertest.ClientID, unproven: true, source: true, reportOnly: true}}},
		"a scope is missing":         {"/require", bearer(iss.Opaque(issuertest.Claims{Scope: "a"})), []told{{kind: no, check: "scope", client: issuertest.ClientID, scopes: "a", want: "orders:read", source: true}}},
		"missing, let through":       {"/report", bearer(iss.Opaque(issuertest.Claims{Scope: "a"})), []told{{kind: no, check: "scope", client: issuertest.ClientID, scopes: "a", want: "orders:read", source: true, reportOnly: true}}},
		"a policy":                   {"/that", read("denied"), []told{{kind: no, check: "policy", client: "denied", scopes: "orders:read", source: true}}},
		"a policy that cannot tell":  {"/that", read("undecided"), []told{{kind: no, check: "unavailable", client: "undecided", scopes: "orders:read", source: true}}},
		"not bound":                  {"/bound", read("a"), []told{{kind: no, check: "cnf", client: "a", scopes: "orders:read", source: true}}},
		"accepted":                   {"/that", read("a"), []told{{kind: observe.Accepted, client: "a", source: true}}},
		"accepted, and only reports": {"/report", read("a"), []told{{kind: observe.Accepted, client: "a", source: true, reportOnly: true}}},
		"denied by the handler": {"/deny", read("denied"), []told{
			{kind: observe.Accepted, client: "denied", source: true},
			{kind: no, check: "policy", client: "denied", scopes: "orders:read", source: true},
		}},
	} {
		for _, f := range frameworks {
			t.Run(name+"/"+f.name, func(t *testing.T) {
				server := httptest.NewServer(f.api(v, nil, who))
				t.Cleanup(server.Close)
				mu.Lock()
				heard = nil
				mu.Unlock()
				ask(t, server, http.MethodGet, tc.path, nil, tc.authorization)
				want := make([]told, 0, len(tc.want))
				for _, w := range tc.want {
					w.route = "GET " + tc.path
					want = append(want, w)
				}
				mu.Lock()
				defer mu.Unlock()
				if diff := cmp.Diff(want, append([]told{}, heard...), cmp.AllowUnexported(told{})); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}
