package validator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestMissingIssuer: a token without iss is the one issuer's that may leave its name
// out, and a token with another one is nobody's.
func TestMissingIssuer(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	nameless := keysOf(iss)
	nameless.DangerouslyAcceptMissingIssuer = true
	null := json.RawMessage("null")
	for name, v := range map[string]*validator.Validator{
		"alone": newMany(t, nameless), "beside another": newMany(t, keysOf(other), nameless), "beside one that is asked": newMany(t, nameless, answersOf(other)),
	} {
		for _, tc := range []struct {
			what string
			iss  any
			want string
		}{
			{"no iss", nil, "ok"}, {"null", null, "ok"}, {"its own", iss.URL(), "ok"},
			{"empty", "", "iss"}, {"another", "https://other.example.com", "iss"}, {"nearly its own", iss.URL() + "/", "iss"},
			{"null in quotes", "null", "iss"}, {"a list", []string{iss.URL()}, "iss"}, {"false", false, "iss"}, {"an object", map[string]any{}, "iss"},
		} {
			raw := with(iss, map[string]any{"iss": tc.iss})
			for range 2 { // the second is a hit
				token, err := v.Verify(t.Context(), raw)
				if got := outcome(token, err); got != tc.want {
					t.Errorf("%s: %s: %s (%v), wanted %s", name, tc.what, got, err, tc.want)
				}
				if err == nil && token.Issuer() != iss.URL() {
					t.Errorf("%s: %s: the token is of issuer %q", name, tc.what, token.Issuer())
				}
			}
		}
		// Everything else is asked of it as ever.
		for want, changes := range map[string]map[string]any{
			"aud": {"iss": nil, "aud": "x"}, "exp": {"iss": nil, "exp": nil}, "cnf": {"iss": nil, "cnf": map[string]any{"jkt": "x"}},
		} {
			wantOutcome(t, want)(v.Verify(t.Context(), with(iss, changes)))
		}
		claims := goodClaims(other, time.Now())
		delete(claims, "iss")
		if got := outcome(v.Verify(t.Context(), signed(other, claims))); got != "key" && got != "signature" {
			t.Errorf("%s: another issuer's token without iss: %s", name, got)
		}
	}
	// Without the setting it is as ever.
	_, err := newMany(t, keysOf(iss), keysOf(other)).Verify(t.Context(), with(iss, map[string]any{"iss": nil}))
	wantOutcome(t, "iss")(nil, err)
	for _, part := range []string{"no iss", "Issuer.DangerouslyAcceptMissingIssuer", "Issuer.TrustDomain"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %s", err, part)
		}
	}
}

// TestAnEmptyIssuerIsNotAMissingOne, and is not told to configure what is configured.
func TestAnEmptyIssuerIsNotAMissingOne(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	nameless := keysOf(iss)
	nameless.DangerouslyAcceptMissingIssuer = true
	for name, i := range map[string]validator.Issuer{"with it set": nameless, "without": keysOf(iss)} {
		_, err := newMany(t, i).Verify(t.Context(), with(iss, map[string]any{"iss": ""}))
		wantOutcome(t, "iss")(nil, err)
		for _, part := range []string{"iss is empty, which is not absent", "let the authorization server write Issuer.URL into iss", "DangerouslyAcceptMissingIssuer is for tokens without that claim"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not say %q", name, err, part)
			}
		}
	}
}

// TestIssuerOfAnAnswer: RFC 7662 §2.2 lets it be left out, and what is there is held to
// the rule of a JWT's, whether the answer is all there is or is asked for as well.
func TestIssuerOfAnAnswer(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	for name, tc := range map[string]struct {
		iss        any // nil: left out
		want, says string
	}{
		"none": {nil, "ok", ""}, "null": {json.RawMessage("null"), "ok", ""}, "the issuer's": {iss.URL(), "ok", ""},
		"empty":    {"", "iss", "iss is empty, which is not absent"},
		"another":  {"https://other.example.com", "iss", "https://other.example.com"},
		"a number": {7, "iss", "is not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			members := map[string]any{"sub": "svc"}
			if tc.iss != nil {
				members["iss"] = tc.iss
			}
			says(iss, members)
			token, opaque := newOpaque(t, iss).Verify(t.Context(), "opaque")
			if opaque == nil && token.Issuer() != iss.URL() {
				t.Errorf("the token is of issuer %q", token.Issuer())
			}
			_, fresh := newMany(t, bothOf(iss)).VerifyFresh(t.Context(), with(iss, map[string]any{"sub": "svc"}), 0)
			for how, err := range map[string]error{"opaque": opaque, "JWT": fresh} {
				if got := outcome(nil, err); got != tc.want || err != nil && !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%s: %s (%v), wanted %s", how, got, err, tc.want)
				}
			}
		})
	}
}

// TestMissingIssuerOfAnIntrospectedIssuer takes a JWT without iss to be asked about.
func TestMissingIssuerOfAnIntrospectedIssuer(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	nameless := answersOf(iss)
	nameless.DangerouslyAcceptMissingIssuer = true
	v := newMany(t, nameless, keysOf(other))
	asked := sloppy(iss)
	wantOutcome(t, "ok")(v.Verify(t.Context(), with(iss, map[string]any{"iss": nil})))
	wantOutcome(t, "iss")(v.Verify(t.Context(), with(iss, map[string]any{"iss": "https://stranger.example.com"})))
	wantOutcome(t, "iss")(v.Verify(t.Context(), with(iss, map[string]any{"iss": ""})))
	if n := asked(); n != 1 {
		t.Errorf("the issuer was asked %d times, wanted once", n)
	}
}

// workload is a token without iss of a SPIFFE workload.
func workload(iss *issuertest.Issuer, id any) string {
	return with(iss, map[string]any{"iss": nil, "sub": id, "client_id": nil})
}

// spiffe is an issuer with a trust domain.
func spiffe(iss *issuertest.Issuer, domain string) validator.Issuer {
	c := keysOf(iss)
	c.TrustDomain = domain
	return c
}

// TestTrustDomains stand side by side: what a SPIFFE ID says chooses among keys, and
// keys speak for their own domain alone.
func TestTrustDomains(t *testing.T) {
	a, b := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	v := newMany(t, spiffe(a, "a.example.org"), spiffe(b, "b"))
	for _, tc := range []struct {
		name, raw, want, issuer string
	}{
		{"of the one", workload(a, "spiffe://a.example.org/ns/billing/sa/reports"), "ok", a.URL()},
		{"of the other", workload(b, "spiffe://b/x"), "ok", b.URL()},
		{"with the issuer's name, too", with(a, map[string]any{"sub": "spiffe://a.example.org/x"}), "ok", a.URL()},
		{"iss is null", with(a, map[string]any{"iss": json.RawMessage("null"), "sub": "spiffe://a.example.org/x"}), "ok", a.URL()},
		{"by the keys of the other", workload(a, "spiffe://b/x"), "key", ""},
		{"of the other, with the name of the one", with(a, map[string]any{"sub": "spiffe://b/x"}), "claims", ""},
		{"no SPIFFE ID, with the name of the one", with(a, nil), "claims", ""},
		{"no sub, with the name of the one", with(a, map[string]any{"sub": nil}), "claims", ""},
		{"another iss", with(a, map[string]any{"iss": "https://a.example.org", "sub": "spiffe://a.example.org/x"}), "iss", ""},
		{"an empty iss", with(a, map[string]any{"iss": "", "sub": "spiffe://a.example.org/x"}), "iss", ""},
		{"of nobody", workload(a, "spiffe://c/x"), "iss", ""},
		{"of a domain below it", workload(a, "spiffe://x.a.example.org/x"), "iss", ""},
		{"of one above it", workload(a, "spiffe://example.org/x"), "iss", ""},
		{"without a subject", workload(a, nil), "iss", ""},
		{"sub is null", workload(a, json.RawMessage("null")), "iss", ""},
		{"sub is a list", workload(a, []string{"spiffe://a.example.org/x"}), "claims", ""},
		{"no aud", with(a, map[string]any{"iss": nil, "sub": "spiffe://a.example.org/x", "aud": nil}), "aud", ""},
	} {
		for range 2 {
			token, err := v.Verify(t.Context(), tc.raw)
			if got := outcome(token, err); got != tc.want {
				t.Errorf("%s: %s (%v), wanted %s", tc.name, got, err, tc.want)
			}
			if err == nil && token.Issuer() != tc.issuer {
				t.Errorf("%s: the token is of issuer %q, wanted %q", tc.name, token.Issuer(), tc.issuer)
			}
		}
	}
}

// TestSPIFFEIDs are read strictly (SPIFFE-ID §2).
func TestSPIFFEIDs(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newMany(t, spiffe(iss, "example.org"))
	const domain = "spiffe://example.org"
	good := []string{
		domain + "/x", domain + "/ns/staging/sa/default", domain + "/9eebccd2-12bf-40a6-b262-65fe0487d453",
		domain + "/A-Z_a.z0", domain + "/...", domain + "/..a", domain + "/.hidden", domain + "/" + strings.Repeat("x", 2048-len(domain)-1),
	}
	for _, id := range good {
		token, err := v.Verify(t.Context(), workload(iss, id))
		if err != nil || token.Subject() != id {
			t.Errorf("%.60s: %v", id, err)
		}
	}
	for _, id := range []string{
		"", "example.org/x", "//example.org/x", "spiffe:/example.org/x", "spiffe:example.org/x", "https://example.org/x", " " + domain + "/x", domain + "/x ", domain + "/x\n",
		"SPIFFE://example.org/x", "Spiffe://example.org/x", "spiffe://Example.org/x", "spiffe://EXAMPLE.ORG/x", "spiffe://exampl\u212a.org/x",
		domain, domain + "/", domain + "//", domain + "//x", domain + "/x/", domain + "/x//y", domain + "/.", domain + "/..", domain + "/x/../y", domain + "/./x",
		"spiffe:///x", "spiffe://", "spiffe:///example.org/x",
		domain + ":443/x", domain + ":/x", "spiffe://u@example.org/x", "spiffe://u:p@example.org/x", "spiffe://@example.org/x",
		domain + "?/x", domain + "/x?", domain + "/x?a=b", domain + "/x#", domain + "/x#y", domain + "#/x",
		domain + "/%78", domain + "/x%2fy", "spiffe://ex%61mple.org/x", domain + "%2fx", domain + "/a:b", domain + "/a@b", domain + "/a~b", domain + "/a+b", domain + "/a*", domain + "/é", domain + "/x\x00", domain + `\x`, domain + `/a\b`,
		"spiffe://[::1]/x", domain + "./x", "spiffe://.example.org/x", "spiffe://example..org/x", domain + ",b/x", domain + " /x",
		domain + "/" + strings.Repeat("x", 2048-len(domain)), "spiffe://" + strings.Repeat("x", 256) + "/x",
	} {
		_, err := v.Verify(t.Context(), workload(iss, id))
		if got := outcome(nil, err); got != "iss" {
			t.Errorf("%.60q: %s (%v), wanted iss", id, got, err)
		}
		_, err = v.Verify(t.Context(), with(iss, map[string]any{"sub": id}))
		if got := outcome(nil, err); got != "claims" {
			t.Errorf("%.60q with iss: %s (%v), wanted claims", id, got, err)
		}
	}
	if asked(iss) > 2 {
		t.Errorf("%d requests, wanted discovery and keys", asked(iss))
	}
}

// TestTrustDomainBesideMissingIssuer: what was meant for a SPIFFE ID is one or
// nothing, and anything else goes where it may.
func TestTrustDomainBesideMissingIssuer(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	nameless := keysOf(other)
	nameless.DangerouslyAcceptMissingIssuer = true
	v := newMany(t, spiffe(iss, "example.org"), nameless)
	wantOutcome(t, "ok")(v.Verify(t.Context(), workload(iss, "spiffe://example.org/x")))
	wantOutcome(t, "ok")(v.Verify(t.Context(), workload(other, "reports")))
	wantOutcome(t, "ok")(v.Verify(t.Context(), workload(other, nil)))
	for _, id := range []string{"spiffe://example.com/x", "spiffe://example.org", "SPIFFE://example.org/x", "spiffe://Example.org/x"} {
		wantOutcome(t, "iss")(v.Verify(t.Context(), workload(other, id)))
		wantOutcome(t, "iss")(v.Verify(t.Context(), workload(iss, id)))
	}
	wantOutcome(t, "key")(v.Verify(t.Context(), workload(other, "spiffe://example.org/x")))
}

// TestTrustDomainOfAnswers holds an answer's sub against it, too.
func TestTrustDomainOfAnswers(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	c := answersOf(iss)
	c.TrustDomain = "example.org"
	v := newMany(t, c)
	for sub, want := range map[string]string{"spiffe://example.org/x": "ok", "spiffe://example.com/x": "claims", "reports": "claims", "": "claims"} {
		says(iss, map[string]any{"sub": sub})
		wantOutcome(t, want)(v.Verify(t.Context(), "opaque-"+strings.ReplaceAll(sub, ":", "-")))
	}
}

// TestTrustDomainOfAResolvedIssuer: it is found by iss, and its sub is held against
// its domain.
func TestTrustDomainOfAResolvedIssuer(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newResolving(t, newDirectory(spiffe(iss, "example.org")))
	wantOutcome(t, "ok")(v.Verify(t.Context(), with(iss, map[string]any{"sub": "spiffe://example.org/x"})))
	wantOutcome(t, "claims")(v.Verify(t.Context(), with(iss, map[string]any{"sub": "spiffe://example.com/x"})))
	wantOutcome(t, "iss")(v.Verify(t.Context(), workload(iss, "spiffe://example.org/x")))
}

// TestResolversKnowNoNamelessIssuer: what would choose one without iss is a wrong
// configuration of a Resolver's issuer.
func TestResolversKnowNoNamelessIssuer(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	nameless, prefix := keysOf(iss), bothOf(iss)
	nameless.DangerouslyAcceptMissingIssuer, prefix.OpaquePrefix = true, []string{"x-"}
	for field, c := range map[string]validator.Issuer{"DangerouslyAcceptMissingIssuer": nameless, "OpaquePrefix": prefix} {
		_, err := newResolving(t, newDirectory(c)).Verify(t.Context(), with(iss, nil))
		wantOutcome(t, "unavailable")(nil, err)
		if !strings.Contains(err.Error(), field+" is for Config.Issuers") {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	// A configured one beside a Resolver is New's fault.
	_, err := validator.New(validator.Config{Issuers: []validator.Issuer{nameless}, Resolver: newDirectory()})
	if err == nil || !strings.Contains(err.Error(), "DangerouslyAcceptMissingIssuer is set beside Config.Resolver") {
		t.Errorf("%v", err)
	}
	// A trust domain beside a Resolver is none.
	v := newResolving(t, newDirectory(), func(cfg *validator.Config) { cfg.Issuers = append(cfg.Issuers, spiffe(iss, "example.org")) })
	wantOutcome(t, "ok")(v.Verify(t.Context(), workload(iss, "spiffe://example.org/x")))
}

// TestTrustDomainNeedsNoURL of https: the name of the domain is a name.
func TestTrustDomainNeedsNoURL(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	c := spiffe(iss, "example.org")
	c.URL, c.Keys = "spiffe://example.org", &jwks.Config{URL: iss.JWKSURL(), HTTPClient: iss.Client()}
	token, err := newMany(t, c).Verify(t.Context(), workload(iss, "spiffe://example.org/x"))
	if err != nil || token.Issuer() != c.URL {
		t.Errorf("%v, %v", token, err)
	}
}
