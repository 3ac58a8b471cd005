package connectauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestUnlisted: no scope helps with a procedure that is in no list, and its client is told so.
// The log names it, if a linked descriptor does, and says where its rule goes. Listed ones
// are called what Routes calls them.
func TestUnlisted(t *testing.T) {
	const forgotten, madeUp = "/connectauth.test.Known/Unary", "/made.up.Service/Name"
	if err := register(); err != nil {
		t.Fatal(err)
	}
	iss := issuertest.New(t)
	var told observe.Event
	v := newValidator(t, iss, func(c *validator.Config) {
		c.Observer = observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
			if e.Kind == observe.Refused || e.Kind == observe.Accepted {
				told = *e
			}
		}}
	})
	auth := connectauth.New(v, connectauth.Rules{list: readRule}, nil)
	reached := false
	api := auth.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached = true
		if r.Header.Get("Deny") != "" {
			_ = auth.Deny(r.Context(), nil)
		}
	}))
	scoped, plain := iss.Token(issuertest.Claims{Scope: "orders:read"}), iss.Token(issuertest.Claims{})
	for _, tc := range []struct {
		path, token, deny string
		status            int
		scope             string // of the challenge of a 403; none without
		route, says       string
	}{
		{forgotten, scoped, "", 403, "", forgotten, "Rules"},
		{forgotten, "", "", 401, "", forgotten, ""},
		{madeUp, scoped, "", 403, "", "", "Rules"},
		{list, scoped, "", 200, "", list, ""},
		{list, plain, "", 403, `scope="orders:read"`, list, "orders:read"},
		{list, scoped, "yes", 403, "", list, ""},
	} {
		told, reached = observe.Event{}, false
		r := httptest.NewRequest("POST", tc.path, strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Deny", tc.deny)
		if tc.token != "" {
			r.Header.Set("Authorization", "Bearer "+tc.token)
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		challenge := w.Header().Get("WWW-Authenticate")
		if w.Code != tc.status || w.Code == 403 && (tc.scope == "") != (challenge == "") || !strings.Contains(challenge, tc.scope) {
			t.Errorf("%s with %.10q: %d %q %s, wanted %d %s", tc.path, tc.token, w.Code, challenge, w.Body, tc.status, tc.scope)
		}
		if want := tc.path == list && tc.token == scoped; reached != want {
			t.Errorf("%s with %.10q: the handler ran: %v", tc.path, tc.token, reached)
		}
		if told.Route != tc.route || told.Method != "POST" || !strings.Contains(fmt.Sprint(told.Err), tc.says) {
			t.Errorf("%s with %.10q: told of %q, %q: %v, wanted %q and %q", tc.path, tc.token, told.Method, told.Route, told.Err, tc.route, tc.says)
		}
	}
}
