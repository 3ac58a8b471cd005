package adaptertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func passed(client string) answer {
	return answer{Status: 200, ContentType: "text/plain; charset=utf-8", Body: client}
}

var (
	accessDenied = answer{
		Status: 403, ContentType: "application/json", CacheControl: "no-store",
		Body: `{"error":"access_denied","error_description":"This API does not let the client of the access token do this."}` + "\n",
	}
	bound = invalidToken("This request needs an access token that is bound to its sender.")
)

// gateRows are requests, and what each gate answers.
func gateRows(iss *issuertest.Issuer) map[string]struct {
	authorization []string
	want          map[string]answer // by path; "" is for those that are not named
} {
	type row = struct {
		authorization []string
		want          map[string]answer
	}
	of := func(client string) []string {
		return bearer(iss.Opaque(issuertest.Claims{ClientID: client, Scope: "orders:read"}))
	}
	refused := func(a answer) map[string]answer { return map[string]answer{"": a, "/report": passed("nobody")} }
	decided := func(client string, a answer) map[string]answer {
		return map[string]answer{"": passed(client), "/that": a, "/deny": a, "/bound": bound}
	}
	scopeless := insufficientScope("orders:read")
	return map[string]row{
		"nothing":        {nil, map[string]answer{"": unauthorized, "/optional": passed("nobody"), "/report": passed("nobody")}},
		"an empty field": {[]string{""}, refused(unauthorized)},
		"another scheme": {[]string{"Basic dTpw"}, refused(unauthorized)},
		"no token":       {[]string{"Bearer"}, refused(badRequest)},
		"malformed":      {[]string{"Bearer a b"}, refused(badRequest)},
		"repeated":       {[]string{"Bearer a", "Bearer a"}, refused(badRequest)},
		"a bad token":    {bearer(iss.Bad(issuertest.Tampered, issuertest.Claims{Scope: "orders:read"})), refused(invalidToken("The signature of the access token is not valid."))},
		"an inactive one": {bearer(iss.BadOpaque(issuertest.Revoked, issuertest.Claims{Scope: "orders:read"})),
			refused(invalidToken("The access token is not active."))},
		"no scope": {bearer(iss.Opaque(issuertest.Claims{})),
			map[string]answer{"": scopeless, "/bound": bound, "/report": passed(issuertest.ClientID)}},
		"good":                      {of(issuertest.ClientID), decided(issuertest.ClientID, passed(issuertest.ClientID))},
		"denied":                    {of("denied"), decided("denied", accessDenied)},
		"undecided":                 {of("undecided"), decided("undecided", unavailable)},
		"late":                      {of("late"), decided("late", unavailable)},
		"no scope, says the policy": {of("no scope"), decided("no scope", accessDenied)},
	}
}

// TestGates: each gate answers the same in each framework.
func TestGates(t *testing.T) {
	iss := issuertest.New(t)
	rows := gateRows(iss)
	for _, f := range frameworks {
		server := httptest.NewServer(f.api(newValidator(t, both(iss)), nil, who))
		t.Cleanup(server.Close)
		for name, r := range rows {
			for _, path := range gatePaths {
				t.Run(f.name+path+"/"+name, func(t *testing.T) {
					want, named := r.want[path]
					if !named {
						want = r.want[""]
					}
					got, header := ask(t, server, http.MethodGet, path, nil, r.authorization)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Error(diff)
					}
					if (header.Get("Retry-After") != "") != (want.Status == 503) {
						t.Errorf("Retry-After %q", header.Get("Retry-After"))
					}
				})
			}
		}
	}
}

// TestProcessWideReportOnly opens Require and Optional, and never what asks for
// more.
func TestProcessWideReportOnly(t *testing.T) {
	iss := issuertest.New(t)
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			server := httptest.NewServer(f.api(newValidator(t, both(iss)), &httpauth.Config{DangerouslyReportOnly: true}, who))
			t.Cleanup(server.Close)
			for path, want := range map[string]answer{
				"/require": passed("nobody"), "/optional": passed("nobody"), "/report": passed("nobody"),
				"/fresh": unauthorized, "/that": unauthorized, "/bound": unauthorized,
			} {
				got, _ := ask(t, server, http.MethodGet, path, nil, nil)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: %s", path, diff)
				}
			}
			denied, _ := ask(t, server, http.MethodGet, "/deny", nil, bearer(iss.Opaque(issuertest.Claims{ClientID: "denied"})))
			if diff := cmp.Diff(accessDenied, denied); diff != "" {
				t.Errorf("Deny: %s", diff)
			}
		})
	}
}

// TestNoPolicy: RequireThat without a policy is a mistake, and no gate without one.
func TestNoPolicy(t *testing.T) {
	v := newValidator(t, modes[0].issuer(issuertest.New(t)))
	for name, build := range map[string]func(){
		"net/http": func() { httpauth.New(v, nil).RequireThat(readRule, nil) },
		"Echo":     func() { echoauth.New(v, nil).RequireThat(readRule, nil) },
		"Gin":      func() { ginauth.New(v, nil).RequireThat(readRule, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, "RequireThat: the policy is nil") {
					t.Errorf("got %s", text)
				}
			}()
			build()
		})
	}
}
