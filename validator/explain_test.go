package validator_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/trials/hostile"
	catalogue "github.com/m2mguard/m2mguard/internal/trials/proofs"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// checkOf is what VerifyRequest, and then a rule, say of a request: the check that
// failed, or empty.
func checkOf(t testing.TB, v *validator.Validator, r *validator.Request, o validator.ExplainOptions) validator.Check {
	t.Helper()
	a, err := v.VerifyRequest(t.Context(), r, o.Demand)
	if err == nil && o.Rule != nil {
		err = a.Token.Check(*o.Rule)
	}
	if e, ok := errors.AsType[*validator.Error](err); ok {
		return e.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

// failedAt is the check of an explanation's first step that failed, or empty.
func failedAt(e validator.Explanation) validator.Check {
	s, _ := e.Failed()
	return s.Check
}

// wantExplained holds an explanation against VerifyRequest's check, and all that it
// prints against what it may not hold.
func wantExplained(t testing.TB, name string, e validator.Explanation, want validator.Check, r *validator.Request) {
	t.Helper()
	if got := failedAt(e); got != want || e.Accepted != (want == "") {
		t.Errorf("%s: failed first %q, accepted %v; VerifyRequest says %q\n%s", name, got, e.Accepted, want, e)
	}
	if e.Accepted && !e.Proven {
		t.Errorf("%s: accepted, and not proven", name)
	}
	written, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	text := e.String() + string(written)
	if strings.ContainsFunc(e.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) || strings.Count(e.String(), "\n") != len(e.Steps)+1 {
		t.Errorf("%s: the table is not a line for each step, of what can be printed: %q", name, e)
	}
	for _, secret := range append([]string{r.Token}, r.Proofs...) {
		if piece := sharedPiece(text, secret); piece != "" {
			t.Errorf("%s: the explanation holds %q of the token or a proof\n%s", name, piece, e)
		}
	}
	for _, s := range e.Steps {
		switch s.Outcome() {
		case "failed":
			if leaks(s.Err.Error(), r.Token) {
				t.Errorf("%s: the error of step %s holds the token: %v", name, s.Name, s.Err)
			}
			if s.Fix == "" || s.Found == "" && s.Wanted == "" && s.Check != validator.CheckMissing {
				t.Errorf("%s: step %s fails without saying what to do: %+v", name, s.Name, s)
			}
		case "passed":
			if s.Wanted != "" || s.Fix != "" {
				t.Errorf("%s: step %s passes and wants something: %+v", name, s.Name, s)
			}
		}
	}
}

// sharedPiece is a piece of a secret in text, of 24 characters.
func sharedPiece(text, secret string) string {
	const enough = 24
	pieces := make(map[string]bool)
	for n := 0; n+enough <= len(text); n++ {
		pieces[text[n:n+enough]] = true
	}
	for n := 0; n+enough <= len(secret); n++ {
		if pieces[secret[n:n+enough]] {
			return secret[n : n+enough]
		}
	}
	return ""
}

// TestExplainSaysWhatVerifyRequestSays runs the whole hostile catalogue: by the keys that
// are held, and by asking; before VerifyRequest has seen the token, and afterwards.
func TestExplainSaysWhatVerifyRequestSays(t *testing.T) {
	c := hostile.New(t)
	for _, config := range []hostile.Config{hostile.Plain, hostile.Every, hostile.Strict} {
		t.Run(string(config), func(t *testing.T) {
			v := hostileValidator(t, c, config)
			if err := v.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			explainHostile(t, c, config, []bool{false, true}, func() *validator.Validator { return v })
		})
	}
	for _, config := range []hostile.Config{hostile.Introspected, hostile.Both} {
		t.Run(string(config), func(t *testing.T) {
			explainHostile(t, c, config, []bool{true}, func() *validator.Validator { return hostileValidator(t, c, config) })
		})
	}
	if n := c.CanaryRequests(); n != 0 {
		t.Errorf("%d requests to a URL out of a token", n)
	}
}

func explainHostile(t *testing.T, c *hostile.Catalogue, config hostile.Config, networks []bool, next func() *validator.Validator) {
	n := 0
	for _, tc := range c.Cases {
		if tc.Config != config {
			continue
		}
		n++
		rule := scopeRule(tc)
		r := &validator.Request{Token: tc.Token}
		want := checkOf(t, next(), r, validator.ExplainOptions{Rule: &rule})
		if string(want) != tc.Want {
			t.Errorf("%s: VerifyRequest says %q", tc.Name, want)
		}
		for _, network := range networks {
			wantExplained(t, tc.Name, next().Explain(t.Context(), r, validator.ExplainOptions{Network: network, Rule: &rule}), want, r)
		}
	}
	if n == 0 {
		t.Error("there are no cases")
	}
}

// TestExplainFixtures: what issuertest makes, right and wrong, as JWTs and opaque.
func TestExplainFixtures(t *testing.T) {
	iss := issuertest.New(t)
	jwts, opaque := newJWT(t, iss), newOpaque(t, iss)
	if err := jwts.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{"good": iss.Token(issuertest.Claims{})}
	for _, kind := range issuertest.Bads() {
		tokens[kind.String()] = iss.Bad(kind, issuertest.Claims{})
	}
	for name, token := range tokens {
		r := &validator.Request{Token: token}
		e := jwts.Explain(t.Context(), r, validator.ExplainOptions{})
		wantExplained(t, name, e, checkOf(t, jwts, r, validator.ExplainOptions{}), r)
	}
	tokens = map[string]string{"good": iss.Opaque(issuertest.Claims{})}
	for _, kind := range issuertest.OpaqueBads() {
		tokens[kind.String()] = iss.BadOpaque(kind, issuertest.Claims{})
	}
	for name, token := range tokens {
		r := &validator.Request{Token: token}
		e := opaque.Explain(t.Context(), r, validator.ExplainOptions{Network: true})
		wantExplained(t, "opaque "+name, e, checkOf(t, opaque, r, validator.ExplainOptions{}), r)
		before := iss.Requests(issuertest.Introspection)
		if e := opaque.Explain(t.Context(), r, validator.ExplainOptions{}); e.Accepted || e.Proven || iss.Requests(issuertest.Introspection) != before {
			t.Errorf("opaque %s, nobody to be asked: accepted or proven, or asked for all that\n%s", name, e)
		}
	}
}

// TestExplainProofs runs the catalogue of proofs. Whether one was used before is left
// open, and says so.
func TestExplainProofs(t *testing.T) {
	iss := issuertest.New(t)
	for _, tc := range catalogue.All(func(thumbprint string) string {
		return iss.Token(issuertest.Claims{IssuedAt: catalogue.Now(), Extra: map[string]any{"cnf": map[string]any{"jkt": thumbprint}}})
	}) {
		if tc.Config == catalogue.Example || tc.Config == catalogue.Nonces {
			continue // tokens of RFCs; dpop's own test has nonces
		}
		cfg := &dpop.Config{}
		if tc.Config == catalogue.OnlyES256 {
			cfg.Algorithms = []string{"ES256"}
		}
		v := newJWT(t, iss, func(c *validator.Config) { c.DPoP, c.Now = cfg, catalogue.Now })
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, line := range tc.Prior {
			if got := checkOf(t, v, &validator.Request{Scheme: "DPoP", Token: tc.Token, Proofs: []string{line}, Method: tc.Method, URL: tc.URL}, validator.ExplainOptions{At: tc.Now}); got != "" {
				t.Fatalf("%s: before it: %s", tc.Name, got)
			}
		}
		r := &validator.Request{Scheme: "DPoP", Token: tc.Token, Proofs: tc.Proofs, Method: tc.Method, URL: tc.URL}
		first := v.Explain(t.Context(), r, validator.ExplainOptions{})
		again := v.Explain(t.Context(), r, validator.ExplainOptions{})
		want := checkOf(t, v, r, validator.ExplainOptions{})
		if tc.Want == "replay" {
			want = ""
		} else if (want != "") != tc.Hostile() {
			t.Errorf("%s: after two explanations, VerifyRequest says %q: something was spent", tc.Name, want)
		}
		wantExplained(t, tc.Name, first, want, r)
		if diff := cmp.Diff(first.String(), again.String()); diff != "" {
			t.Errorf("%s: another explanation the second time: %s", tc.Name, diff)
		}
	}
}

// TestExplainLeavesNoTrace: no event, no counter, nothing remembered or asked, whatever
// is explained, and no function of the configuration sees what is not proven.
func TestExplainLeavesNoTrace(t *testing.T) {
	iss := issuertest.New(t)
	var events, accepts, apps, grants atomic.Int64
	v := newJWT(t, iss, func(c *validator.Config) {
		c.DPoP = new(dpop.Config)
		c.Issuers[0].Introspection = introspectionAt(iss)
		c.Issuers[0].Profile.Accept = func(*validator.Token) error { accepts.Add(1); return nil }
		c.Issuers[0].AppOnly, c.Issuers[0].Profile.App = true, func(*validator.Token) bool { apps.Add(1); return true }
		c.Issuers[0].Profile.Grants = func(*validator.Token) (scopes, roles []string) {
			grants.Add(1)
			return []string{"granted"}, nil
		}
		c.Observer = observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
			if e.Kind == observe.Refused || e.Kind == observe.Accepted {
				events.Add(1)
			}
		}}
	})
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := iss.Token(issuertest.Claims{})
	before, asked := v.Stats(), requestsTo(iss)
	for _, token := range []string{good, iss.Opaque(issuertest.Claims{}), iss.Bad(issuertest.Expired, issuertest.Claims{}), iss.Bad(issuertest.OtherKey, issuertest.Claims{}), "", "x"} {
		for _, d := range []*validator.Demand{nil, {MaxAge: new(time.Duration), Bound: true}} {
			v.Explain(t.Context(), &validator.Request{Token: token}, validator.ExplainOptions{Demand: d})
		}
	}
	after := v.Stats()
	for _, s := range []*validator.Stats{&before, &after} {
		s.Issuers[0].Keys.Age = 0
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what is counted has changed: %s", diff)
	}
	if diff := cmp.Diff(asked, requestsTo(iss)); diff != "" {
		t.Errorf("the issuer was asked: %s", diff)
	}
	if n := events.Load(); n != 0 {
		t.Errorf("%d events", n)
	}
	for name, n := range map[string]int64{"Accept": accepts.Load(), "App": apps.Load(), "Grants": grants.Load()} {
		if n != 2 {
			t.Errorf("Profile.%s was asked %d times, wanted once for each explanation of the good token", name, n)
		}
	}
	if _, err := v.Verify(t.Context(), good); err != nil || v.Stats().Misses != before.Misses+1 {
		t.Errorf("%v: the explained token was remembered", err)
	}
	fresh := &validator.Demand{MaxAge: new(time.Duration)}
	e := v.Explain(t.Context(), &validator.Request{Token: good}, validator.ExplainOptions{Demand: fresh})
	if _, failed := e.Failed(); failed || e.Accepted || !e.Proven {
		t.Errorf("the issuer was to be asked, and was not: wanted a good token, proven and not accepted\n%s", e)
	}
}

// TestExplainForgetsNothing: an answer that an explanation got takes no token out of the
// cache, and which key verified is remembered for nobody.
func TestExplainForgetsNothing(t *testing.T) {
	iss := issuertest.New(t)
	v, token := newValidator(t, bothOf(iss)), iss.Token(issuertest.Claims{})
	wantOutcome(t, "ok")(v.Verify(t.Context(), token))
	iss.Revoke(token)
	o := validator.ExplainOptions{Network: true, Demand: &validator.Demand{MaxAge: new(time.Duration)}}
	if e := v.Explain(t.Context(), &validator.Request{Token: token}, o); failedAt(e) != validator.CheckActive {
		t.Errorf("a revoked token\n%s", e)
	}
	before := v.Stats().Hits
	wantOutcome(t, "ok")(v.Verify(t.Context(), token)) // as without the explanation
	if v.Stats().Hits != before+1 {
		t.Error("the token has left the cache")
	}

	// A newer inactive answer would have a token forgotten whose answer is under way.
	opaque, good, revoked := newOpaque(t, iss), iss.Opaque(issuertest.Claims{}), iss.Opaque(issuertest.Claims{})
	iss.Revoke(revoked)
	asked, answered := make(chan bool), make(chan bool)
	iss.SetFault(issuertest.Introspection, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.PostFormValue("token") == good {
			close(asked)
			<-answered
		}
		next.ServeHTTP(w, r)
	})
	var wg sync.WaitGroup
	wg.Go(func() { wantOutcome(t, "ok")(opaque.Verify(t.Context(), good)) })
	<-asked
	if e := opaque.Explain(t.Context(), &validator.Request{Token: revoked}, o); failedAt(e) != validator.CheckActive {
		t.Errorf("a revoked token\n%s", e)
	}
	close(answered)
	wg.Wait()
	wantOutcome(t, "ok")(opaque.Verify(t.Context(), good))
	if hits := opaque.Stats().Hits; hits != 1 {
		t.Errorf("%d hits, wanted 1: the explanation had another token forgotten", hits)
	}

	nameless := issuertest.New(t)
	nameless.SetJWKS(object(map[string]any{"keys": []json.RawMessage{unnamed(t, "ed25519-a")}}), nil)
	v = newValidator(t, keysOf(nameless))
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	token = byKey(nameless, "ed25519-a", "made up", goodClaims(nameless, time.Now()))
	if e := v.Explain(t.Context(), &validator.Request{Token: token}, validator.ExplainOptions{}); !e.Accepted {
		t.Errorf("by a key without kid\n%s", e)
	}
	fetched := nameless.Requests(issuertest.JWKS)
	wantOutcome(t, "ok")(v.Verify(t.Context(), token))
	if nameless.Requests(issuertest.JWKS) == fetched {
		t.Error("the kid was remembered as proved: no newer set was looked for")
	}
}

// unnamed is a test key without kid.
func unnamed(t *testing.T, name string) []byte {
	t.Helper()
	var key map[string]any
	if err := json.Unmarshal(testdata.PublicKey(name), &key); err != nil {
		t.Fatal(err)
	}
	delete(key, "kid")
	return object(key)
}
