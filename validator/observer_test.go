package validator_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestObserver(t *testing.T) {
	iss := issuertest.New(t)
	var seen, own events
	v := newJWT(t, iss, func(c *validator.Config) {
		c.Observer = observe.Observer{Event: seen.observe}
		c.Issuers[0].Keys.MinFetchInterval = time.Millisecond
		c.Issuers[0].Keys.Observer = observe.Observer{Event: own.observe} // told first
	})
	iss.SetFault(issuertest.JWKS, issuertest.Garbage())
	_, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{}))
	wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
	v.Close() // and so every event was told

	refused := seen.of(observe.Refused)
	if len(refused) != 1 || refused[0].Check != string(validator.CheckUnavailable) || refused[0].Err != err {
		t.Errorf("refused tokens %+v, wanted one with the error of Verify", refused)
	}
	failed := seen.of(observe.RefreshFailed)
	if len(failed) != 1 || len(own.of(observe.RefreshFailed)) != 1 {
		t.Fatalf("key set events %+v, own events %+v, wanted one of each", failed, own.all)
	}
	if e := failed[0]; e.Issuer.Text != iss.URL() || e.Issuer.Unproven || e.URL != iss.JWKSURL() || e.Err == nil {
		t.Errorf("event %+v", e)
	}
}

func TestObserverOfIntrospection(t *testing.T) {
	iss := issuertest.New(t)
	var seen, own events
	v := newOpaque(t, iss, func(c *validator.Config) {
		c.Observer = observe.Observer{Event: seen.observe}
		c.Issuers[0].Introspection.Observer = observe.Observer{Event: own.observe}
	})
	raw := iss.Opaque(issuertest.Claims{})
	iss.SetFault(issuertest.Introspection, issuertest.Unauthorized())
	wantOutcome(t, "unavailable")(v.Verify(t.Context(), raw))
	iss.ClearFaults()
	wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
	v.Close()

	var kinds []observe.Kind
	for _, e := range seen.all {
		if e.Kind == observe.Refused {
			continue
		}
		if e.Issuer.Text != iss.URL() || e.URL != iss.IntrospectionURL() {
			t.Errorf("event %+v", e)
		}
		kinds = append(kinds, e.Kind)
	}
	if diff := cmp.Diff([]observe.Kind{observe.IntrospectionFailed, observe.IntrospectionRecovered}, kinds); diff != "" {
		t.Error(diff)
	}
	if len(own.all) != 2 {
		t.Errorf("own Observer was told %d times, wanted 2", len(own.all))
	}
}

// TestWhoProvedBadly: a refused proof is told with the client of its token, whether
// that was seen before or not.
func TestWhoProvedBadly(t *testing.T) {
	iss, key := issuertest.New(t), testdata.PrivateKey("p256-a")
	var seen events
	v := newJWT(t, iss, func(c *validator.Config) {
		c.DPoP, c.Observer = &dpop.Config{}, observe.Observer{Event: seen.observe}
	})
	token := iss.Token(issuertest.Claims{ClientID: "orders-client", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	const url = "https://api.example.com/orders"
	proofs := []string{issuertest.Proof(key, issuertest.ProofClaims{URL: url, Token: token})}
	for range 3 {
		_, _ = v.VerifyRequest(t.Context(), &validator.Request{Scheme: "DPoP", Token: token, Proofs: proofs, Method: "GET", URL: url}, nil)
	}
	refused := seen.of(observe.Refused)
	if len(refused) != 2 {
		t.Fatalf("%d refusals, wanted the two of the same proof", len(refused))
	}
	for _, e := range refused {
		if (e.Client != observe.Fact{Text: "orders-client"} || e.Issuer != observe.Fact{Text: iss.URL()}) || e.Check != "proof" {
			t.Errorf("told of %+v, %+v, %s", e.Client, e.Issuer, e.Check)
		}
	}
}

// TestWhoWasRefused: a refusal names what is known of whoever sent it, and says
// what nobody has proven.
func TestWhoWasRefused(t *testing.T) {
	iss, stranger := issuertest.New(t), issuertest.New(t)
	claims := issuertest.Claims{ClientID: "orders-client", Subject: "subject-1", Scope: "orders:read", Extra: map[string]any{"jti": "token-1"}}
	with := func(change func(*issuertest.Claims)) issuertest.Claims {
		c := claims
		change(&c)
		return c
	}
	said := func(text string) observe.Fact { return observe.Fact{Text: text, Unproven: true} }
	proven := func(text string) observe.Fact { return observe.Fact{Text: text} }
	unproven := observe.Event{Issuer: said(iss.URL()), Client: said("orders-client"), Subject: said("subject-1"), TokenID: said("token-1")}
	known := observe.Event{Issuer: proven(iss.URL()), Client: proven("orders-client"), Subject: proven("subject-1"), TokenID: proven("token-1")}
	withScope := known
	withScope.Scopes = proven("orders:read")
	request := validator.Request{Method: "GET", Route: "GET /orders", Source: "192.0.2.1", URL: "https://api.example.com/orders?secret=1", Scheme: "Bearer"}
	good := iss.Token(claims)
	forged := good[:len(good)-8] + "AAAAAAAA"

	for name, tc := range map[string]struct {
		raw    string
		opaque bool
		demand validator.Demand
		check  validator.Check
		want   observe.Event
	}{
		"no token":      {check: validator.CheckMissing},
		"garbage":       {raw: "a.b", check: validator.CheckShape},
		"a foreign one": {raw: stranger.Token(claims), check: validator.CheckIssuer, want: observe.Event{ForeignIssuer: stranger.URL(), Client: said("orders-client"), Subject: said("subject-1"), TokenID: said("token-1")}},
		"another API's": {raw: iss.Token(with(func(c *issuertest.Claims) { c.Audience = []string{"https://other.example.com"} })), check: validator.CheckAudience, want: unproven},
		"expired":       {raw: iss.Token(with(func(c *issuertest.Claims) { c.ExpiresIn = -time.Hour })), check: validator.CheckExpiry, want: unproven},
		"forged":        {raw: forged, check: validator.CheckSignature, want: unproven},
		"long names": {raw: iss.Token(with(func(c *issuertest.Claims) {
			c.ClientID, c.Audience = strings.Repeat("c", 199)+"é", []string{"https://other.example.com"}
		})), check: validator.CheckAudience, want: observe.Event{Issuer: unproven.Issuer, Client: said(strings.Repeat("c", 199)), Subject: unproven.Subject, TokenID: unproven.TokenID}},
		"narrowed":          {raw: good, demand: validator.Demand{Audience: []string{"https://narrow.example.com"}}, check: validator.CheckAudience, want: withScope},
		"wrong client":      {raw: iss.Token(with(func(c *issuertest.Claims) { c.ClientID = "blocked" })), check: validator.CheckClient, want: observe.Event{Issuer: known.Issuer, Client: proven("blocked"), Subject: known.Subject, TokenID: known.TokenID}},
		"opaque, inactive":  {raw: "unknown-token-unknown-token", opaque: true, check: validator.CheckActive, want: observe.Event{Issuer: said(iss.URL())}},
		"opaque, for other": {raw: iss.Opaque(with(func(c *issuertest.Claims) { c.Audience = []string{"https://other.example.com"} })), opaque: true, check: validator.CheckAudience, want: known},
	} {
		t.Run(name, func(t *testing.T) {
			var seen events
			change := func(c *validator.Config) {
				c.Observer = observe.Observer{Event: seen.observe}
				c.Issuers[0].Clients = []string{"orders-client", strings.Repeat("c", 199) + "é"}
			}
			v := newJWT(t, iss, change)
			if tc.opaque {
				v = newOpaque(t, iss, change)
			}
			r := request
			r.Token = tc.raw
			ctx := context.WithValue(t.Context(), requestID{}, name)
			_, err := v.VerifyRequest(ctx, &r, &tc.demand)
			want := tc.want
			want.Kind, want.Check, want.Err = observe.Refused, string(tc.check), err
			want.Method, want.Route, want.Source = "GET", "GET /orders", "192.0.2.1"
			if diff := cmp.Diff([]observe.Event{want}, seen.of(observe.Refused), cmpopts.EquateErrors(), cmpopts.IgnoreUnexported(observe.Event{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{name}, seen.requests); diff != "" {
				t.Errorf("not told in the request's context: %s", diff)
			}
		})
	}

	t.Run("a scope is missing", func(t *testing.T) {
		var seen events
		v := newJWT(t, iss, func(c *validator.Config) { c.Observer = observe.Observer{Event: seen.observe} })
		token, err := v.Verify(t.Context(), good)
		wantOutcome(t, "ok")(token, err)
		err = token.Check(scopes.All("orders:write"))
		v.ReportRefusal(t.Context(), &request, nil, err.(*validator.Error))
		want := known
		want.Kind, want.Check, want.Err = observe.Refused, "scope", err
		want.Scopes, want.Wanted = proven("orders:read"), "orders:write"
		want.Method, want.Route, want.Source = "GET", "GET /orders", "192.0.2.1"
		if diff := cmp.Diff([]observe.Event{want}, seen.of(observe.Refused), cmpopts.EquateErrors(), cmpopts.IgnoreUnexported(observe.Event{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestEventsHoldNoToken: also where an issuer's answer repeats it in members that
// only identify.
func TestEventsHoldNoToken(t *testing.T) {
	const raw = "an-opaque-token-0123456789"
	for name, tc := range map[string]struct {
		demand validator.Demand
		kind   observe.Kind
	}{
		"accepted": {validator.Demand{}, observe.Accepted},
		"refused":  {validator.Demand{Bound: true}, observe.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.New(t)
			answering(iss, "application/json", `{"active":true,"aud":"`+issuertest.Audience+`","client_id":"m2m-client","sub":"of `+raw+`","jti":"`+raw+`"}`)
			var seen events
			v := newOpaque(t, iss, func(c *validator.Config) {
				c.Observer = observe.Observer{Event: seen.observe, Accepted: true}
			})
			_, _ = v.VerifyRequest(t.Context(), &validator.Request{Token: raw}, &tc.demand)
			told := seen.of(tc.kind)
			if len(told) != 1 || strings.Contains(fmt.Sprintf("%+v", told[0]), raw) {
				t.Errorf("told %+v", told)
			}
		})
	}
}

// TestWhoWasLetIn: accepted requests are told to whoever asks, with the way in
// which they were proven.
func TestWhoWasLetIn(t *testing.T) {
	iss := issuertest.New(t)
	for name, asks := range map[string]bool{"an observer that asks": true, "one that does not": false} {
		t.Run(name, func(t *testing.T) {
			var seen events
			change := func(c *validator.Config) { c.Observer = observe.Observer{Event: seen.observe, Accepted: asks} }
			byKeys, byAsking := newJWT(t, iss, change), newOpaque(t, iss, change)
			both := newJWT(t, iss, change, func(c *validator.Config) { c.Issuers[0].Introspection = introspectionAt(iss) })
			jwt, opaque := iss.Token(issuertest.Claims{ClientID: "a"}), iss.Opaque(issuertest.Claims{ClientID: "a"})
			var got, want []observe.Way
			try := func(v *validator.Validator, raw string, d *validator.Demand, way observe.Way) {
				t.Helper()
				a, err := v.VerifyRequest(t.Context(), &validator.Request{Token: raw, Route: "r"}, d)
				if err != nil || a.Way != way {
					t.Errorf("way %q, wanted %q, error %v", a.Way, way, err)
				}
				if d == nil || !d.More {
					want = append(want, way)
				}
			}
			now := time.Duration(0)
			try(byKeys, jwt, nil, observe.BySignature)
			try(byKeys, jwt, nil, observe.ByCache)
			try(byKeys, jwt, &validator.Demand{More: true}, observe.ByCache) // told by whoever asks for more
			try(byAsking, opaque, nil, observe.ByIntrospection)
			try(byAsking, opaque, nil, observe.ByCache)
			try(byAsking, opaque, &validator.Demand{MaxAge: &now}, observe.ByIntrospection)
			try(both, jwt, nil, observe.BySignature)
			try(both, jwt, &validator.Demand{MaxAge: &now}, observe.ByIntrospection)
			if !asks {
				want = nil
			}
			for _, e := range seen.of(observe.Accepted) {
				got = append(got, e.Way)
				if e.Issuer.Text != iss.URL() || e.Client.Text != "a" || e.Client.Unproven || e.Route != "r" || e.Err != nil {
					t.Errorf("event %+v", e)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// requestID is what a middleware of the user's puts into a request's context.
type requestID struct{}
