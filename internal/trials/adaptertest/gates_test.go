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
