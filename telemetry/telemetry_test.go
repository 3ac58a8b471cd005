package telemetry_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/telemetry"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestMetrics: what requests cause is counted where it belongs, with its attributes.
func TestMetrics(t *testing.T) {
	jwts, opaque := issuertest.New(t), issuertest.New(t)
	p := newProbe(t, telemetry.Config{SampleHits: 1})
	v := p.newValidator(jwts, func(c *validator.Config) {
		c.CacheEntries = 100
		c.Issuers = append(c.Issuers, validator.Issuer{URL: opaque.URL(), Audience: []string{issuertest.Audience}, Introspection: introspectionAt(opaque)})
	})
	good := jwts.Token(issuertest.Claims{})
	for _, token := range []string{
		good, good, good, "", jwts.Bad(issuertest.Expired, issuertest.Claims{}), jwts.Bad(issuertest.WrongIssuer, issuertest.Claims{}),
		opaque.Opaque(issuertest.Claims{}), "an-opaque-token-of-nobody",
	} {
		_, _ = v.Verify(t.Context(), token)
	}
	_, _ = v.VerifyRequest(t.Context(), &validator.Request{ReportOnly: true}, nil)
	v.ReportOpen()
	token, err := v.Verify(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	_, end := v.Live(t.Context(), token)
	defer end()
	_, got := p.collect()
	for name, value := range got {
		if strings.HasPrefix(name, "m2mguard.jwks.age") {
			if value <= 0 || value > 60 {
				t.Errorf("%s is %v", name, value)
			}
			got[name] = 1
		}
	}
	of := func(url, text string) string { return strings.ReplaceAll(text, "ISSUER", url) }
	want := map[string]float64{
		"m2mguard.stream.active{}":                                         1,
		"m2mguard.cache.requests{m2mguard.result=hit}":                     3,
		"m2mguard.cache.requests{m2mguard.result=miss}":                    5,
		"m2mguard.cache.entries{}":                                         2,
		"m2mguard.cache.limit{}":                                           96,
		"m2mguard.verify.active{}":                                         0,
		"m2mguard.verify.waiting{}":                                        0,
		"m2mguard.route.open{}":                                            1,
		"m2mguard.issuer.resolved{}":                                       0,
		"m2mguard.resolve.active{}":                                        0,
		"m2mguard.resolve.waiting{}":                                       0,
		"m2mguard.refusals{error.type=missing,m2mguard.report_only=false}": 1,
		"m2mguard.refusals{error.type=missing,m2mguard.report_only=true}":  1,
		"m2mguard.refusals{error.type=iss,m2mguard.report_only=false}":     1,
		of(jwts.URL(), "m2mguard.refusals{error.type=exp,m2mguard.issuer=ISSUER,m2mguard.report_only=false}"):      1,
		of(opaque.URL(), "m2mguard.refusals{error.type=active,m2mguard.issuer=ISSUER,m2mguard.report_only=false}"): 1,
		of(jwts.URL(), "m2mguard.validate.duration{m2mguard.issuer=ISSUER,m2mguard.path=cache}"):                   3,
		of(jwts.URL(), "m2mguard.validate.duration{m2mguard.issuer=ISSUER,m2mguard.path=signature}"):               1,
		of(opaque.URL(), "m2mguard.validate.duration{m2mguard.issuer=ISSUER,m2mguard.path=introspection}"):         1,
		of(jwts.URL(), "m2mguard.validate.duration{error.type=exp,m2mguard.issuer=ISSUER}"):                        1,
		of(opaque.URL(), "m2mguard.validate.duration{error.type=active,m2mguard.issuer=ISSUER}"):                   1,
		"m2mguard.validate.duration{error.type=iss}":                                                               1,
		of(jwts.URL(), "m2mguard.jwks.fetch.duration{m2mguard.issuer=ISSUER}"):                                     1,
		of(jwts.URL(), "m2mguard.discovery.client.duration{m2mguard.issuer=ISSUER}"):                               1,
		of(opaque.URL(), "m2mguard.introspect.client.duration{m2mguard.issuer=ISSUER}"):                            2,
		of(jwts.URL(), "m2mguard.jwks.age{m2mguard.issuer=ISSUER}"):                                                1,
		of(jwts.URL(), "m2mguard.jwks.keys{m2mguard.issuer=ISSUER}"):                                               got[of(jwts.URL(), "m2mguard.jwks.keys{m2mguard.issuer=ISSUER}")],
		of(jwts.URL(), "m2mguard.jwks.stale{m2mguard.issuer=ISSUER}"):                                              0,
	}
	for _, name := range []string{"m2mguard.introspect.active", "m2mguard.introspect.waiting", "m2mguard.introspect.cache.entries"} {
		want[name+"{m2mguard.issuer="+jwts.URL()+"}"], want[name+"{m2mguard.issuer="+opaque.URL()+"}"] = 0, 0
	}
	want["m2mguard.introspect.cache.entries{m2mguard.issuer="+opaque.URL()+"}"] = 2
	want[of(opaque.URL(), "m2mguard.introspect.cache.requests{m2mguard.issuer=ISSUER,m2mguard.result=hit}")] = 0
	want[of(opaque.URL(), "m2mguard.introspect.cache.requests{m2mguard.issuer=ISSUER,m2mguard.result=miss}")] = 2
	if want[of(jwts.URL(), "m2mguard.jwks.keys{m2mguard.issuer=ISSUER}")] == 0 {
		t.Error("no keys")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSumsNeverFall, also where a validator is closed and another takes its place.
func TestSumsNeverFall(t *testing.T) {
	iss := issuertest.New(t)
	p := newProbe(t, telemetry.Config{})
	for range 3 {
		v := p.newValidator(iss, nil)
		raw := iss.Token(issuertest.Claims{})
		for range 5 {
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
		}
		v.Close()
		v.Close()
	}
	_, got := p.collect()
	if hits, misses := got["m2mguard.cache.requests{m2mguard.result=hit}"], got["m2mguard.cache.requests{m2mguard.result=miss}"]; hits != 12 || misses != 3 {
		t.Errorf("%v hits, %v misses, wanted 12 and 3", hits, misses)
	}
	if _, there := got["m2mguard.cache.entries{}"]; there {
		t.Error("what was closed has a cache")
	}
}

// TestAnswersNeverFall: nor do those that introspection remembers.
func TestAnswersNeverFall(t *testing.T) {
	iss := issuertest.New(t)
	p := newProbe(t, telemetry.Config{})
	for range 3 {
		v := p.newValidator(iss, func(c *validator.Config) { c.Issuers[0].Introspection = introspectionAt(iss) })
		for range 5 {
			_, _ = v.Verify(t.Context(), "an-opaque-token-of-nobody")
		}
		v.Close()
	}
	_, got := p.collect()
	of := "m2mguard.introspect.cache.requests{m2mguard.issuer=" + iss.URL() + ",m2mguard.result="
	if hits, misses := got[of+"hit}"], got[of+"miss}"]; hits != 12 || misses != 3 {
		t.Errorf("%v hits, %v misses, wanted 12 and 3", hits, misses)
	}
}

// TestProofsOfPossession: outcomes of replays and nonces.
func TestProofsOfPossession(t *testing.T) {
	iss := issuertest.New(t)
	p := newProbe(t, telemetry.Config{})
	nonces, err := dpop.NewSealed(dpop.SealedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	key := issuertest.ClientCertificate("client").PrivateKey.(crypto.Signer)
	v := p.newValidator(iss, func(c *validator.Config) { c.DPoP = &dpop.Config{Nonces: nonces} })
	raw := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	const url = "https://api.example.com/orders"
	ask := func(nonce string) []string {
		return []string{issuertest.Proof(key, issuertest.ProofClaims{Token: raw, Method: "GET", URL: url, Nonce: nonce})}
	}
	nonce, err := nonces.Nonce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spent := ask(nonce)
	for _, proofs := range [][]string{ask(""), ask("made-up"), spent, spent} {
		_, _ = v.VerifyRequest(t.Context(), &validator.Request{Scheme: "DPoP", Token: raw, Proofs: proofs, Method: "GET", URL: url}, nil)
	}
	_, got := p.collect()
	for name, want := range map[string]float64{
		"m2mguard.replay.requests{m2mguard.result=first}": 1, "m2mguard.replay.requests{m2mguard.result=replayed}": 1, "m2mguard.replay.requests{m2mguard.result=undecided}": 0,
		"m2mguard.nonce.requests{m2mguard.result=good}": 2, "m2mguard.nonce.requests{m2mguard.result=missing}": 1, "m2mguard.nonce.requests{m2mguard.result=bad}": 1,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v, wanted %v", name, value, want)
		}
	}
}

// TestRevocations: the size of the list and the age of its feed.
func TestRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProbe(t, telemetry.Config{})
		l, err := revocation.New(revocation.Config{Observer: p.Observer})
		if err != nil {
			t.Fatal(err)
		}
		want := func(lag, stale float64) {
			t.Helper()
			_, got := p.collect()
			if got["m2mguard.revocation.lag{}"] != lag || got["m2mguard.revocation.stale{}"] != stale || got["m2mguard.revocation.entries{}"] != 0 {
				t.Errorf("%v", got)
			}
		}
		if _, got := p.collect(); got["m2mguard.revocation.stale{}"] != 1 {
			t.Errorf("before it was filled: %v", got)
		} else if lag, there := got["m2mguard.revocation.lag{}"]; there {
			t.Errorf("before it was filled, the lag is %v, wanted none", lag)
		}
		l.Current(time.Now())
		want(0, 0)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		want(31, 1)
		l.Close()
		if _, got := p.collect(); len(got) != 3 {
			t.Errorf("after its end: %v", got)
		}
	})
}

// TestScopeUse: routes, scopes and clients are told apart where that is asked for.
func TestScopeUse(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  telemetry.Config
		want []string
	}{
		"not asked for": {telemetry.Config{}, nil},
		"by route":      {telemetry.Config{ScopeUse: true}, []string{"http.route=GET /orders,m2mguard.scope=a: 6", "http.route=GET /orders,m2mguard.scope=b: 6"}},
		"by client": {telemetry.Config{ScopeUse: true, MaxClients: 1}, []string{
			"http.route=GET /orders,m2mguard.client=_OTHER,m2mguard.scope=a: 4", "http.route=GET /orders,m2mguard.client=_OTHER,m2mguard.scope=b: 4",
			"http.route=GET /orders,m2mguard.client=one,m2mguard.scope=a: 2", "http.route=GET /orders,m2mguard.client=one,m2mguard.scope=b: 2",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			p := newProbe(t, tc.cfg)
			v := p.newValidator(iss, func(c *validator.Config) { c.Issuers[0].Keys = &jwks.Config{HTTPClient: iss.Client()} })
			for _, client := range []string{"one", "two", "three"} {
				r := &validator.Request{Token: iss.Token(issuertest.Claims{ClientID: client, Scope: "a b other"}), Route: "GET /orders", Scopes: []string{"a", "b", "c"}}
				for range 2 { // the second is a hit
					if _, err := v.VerifyRequest(t.Context(), r, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, series := p.collect()
			var got []string
			for _, name := range names(series) {
				if of, ok := strings.CutPrefix(name, "m2mguard.scope.use{"); ok {
					got = append(got, fmt.Sprintf("%s: %v", strings.TrimSuffix(of, "}"), series[name]))
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSampling: by default few hits are timed, none where a negative number says so, and
// a proof always.
func TestSampling(t *testing.T) {
	for sample, timed := range map[int]func(float64) bool{
		0: func(n float64) bool { return n < 60 }, // of 10,000, ten in the mean
		1: func(n float64) bool { return n == 10_000 }, -1: func(n float64) bool { return n == 0 },
	} {
		iss := issuertest.NewInMemory(t)
		p := newProbe(t, telemetry.Config{SampleHits: sample})
		v := p.newValidator(iss, func(c *validator.Config) { c.Issuers[0].Keys = &jwks.Config{HTTPClient: iss.Client()} })
		raw := iss.Token(issuertest.Claims{})
		for range 10_001 {
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
		}
		_, got := p.collect()
		of := "m2mguard.validate.duration{m2mguard.issuer=" + iss.URL() + ",m2mguard.path="
		if proofs, hits := got[of+"signature}"], got[of+"cache}"]; proofs != 1 || !timed(hits) {
			t.Errorf("SampleHits %d: %v proofs and %v hits are timed", sample, proofs, hits)
		}
	}
}

// TestSpans: a call is linked to the request that caused it, and says how it ended.
func TestSpans(t *testing.T) {
	iss := issuertest.New(t)
	p := newProbe(t, telemetry.Config{})
	v := p.newValidator(iss, func(c *validator.Config) { c.Issuers[0].Introspection = introspectionAt(iss) })
	iss.SetFault(issuertest.Introspection, issuertest.ServerError())
	ctx, request := p.tracers.Tracer("test").Start(t.Context(), "request")
	_, _ = v.Verify(ctx, iss.Opaque(issuertest.Claims{}))
	request.End()
	v.Close()
	var calls []trace.ReadOnlySpan
	for _, s := range p.spans.Ended() {
		if s.Name() == "m2mguard introspect" {
			calls = append(calls, s)
		}
	}
	if len(calls) == 0 {
		t.Fatalf("spans: %v", p.spans.Ended())
	}
	for _, s := range calls {
		linked := len(s.Links()) == 1 && s.Links()[0].SpanContext.SpanID() == request.SpanContext().SpanID()
		if child := s.Parent().SpanID() == request.SpanContext().SpanID(); !linked && !child {
			t.Errorf("parent %v, links %v, wanted the request", s.Parent(), s.Links())
		}
		if s.Status().Code != codes.Error || s.Status().Description != "500" {
			t.Errorf("status %v", s.Status())
		}
		got := map[string]string{}
		for _, a := range s.Attributes() {
			got[string(a.Key)] = a.Value.String()
		}
		if diff := cmp.Diff(map[string]string{"m2mguard.issuer": iss.URL(), "server.address": "127.0.0.1", "error.type": "500"}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// TestOtherCalls: what this module does not know by name is measured as well, and how
// a call ended is one of few words.
func TestOtherCalls(t *testing.T) {
	p := newProbe(t, telemetry.Config{})
	for _, err := range []error{nil, context.Canceled, context.DeadlineExceeded, &net.DNSError{IsTimeout: true}, errors.New("anything")} {
		_, end := p.Begin(t.Context(), observe.Operation{Kind: "share", Issuer: "https://made-up.example.com", URL: "https://made-up.example.com/keys"})
		end(err)
	}
	if text := p.text(); strings.Contains(text, "example.com") {
		t.Error(text)
	}
	_, got := p.collect()
	for of, want := range map[string]float64{"": 1, "error.type=canceled,": 1, "error.type=timeout,": 2, "error.type=_OTHER,": 1} {
		if name := "m2mguard.operation.duration{" + of + "m2mguard.issuer=_OTHER,m2mguard.operation=share}"; got[name] != want {
			t.Errorf("%s is %v, wanted %v", name, got[name], want)
		}
	}
}
