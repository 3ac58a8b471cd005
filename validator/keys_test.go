package validator_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// keysNamed is a key set of test keys, each followed by what it is called: a kid, or
// members such as "x5t=a", or nothing.
func keysNamed(t *testing.T, keys ...string) []byte {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	for _, k := range keys {
		fields := strings.Fields(k)
		var key map[string]any
		if err := json.Unmarshal(testdata.PublicKey(fields[0]), &key); err != nil {
			t.Fatal(err)
		}
		delete(key, "kid")
		for _, field := range fields[1:] {
			name, value, named := strings.Cut(field, "=")
			if !named {
				name, value = "kid", field
			}
			key[name] = value
		}
		set.Keys = append(set.Keys, key)
	}
	return must(json.Marshal(set))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// byHeader is a token of iss that a test key signed, under a header with these
// members.
func byHeader(iss *issuertest.Issuer, key, alg string, members map[string]any) string {
	header := map[string]any{"alg": alg}
	for name, value := range members {
		header[name] = value
	}
	return iss.SignWith(key, must(json.Marshal(header)), object(goodClaims(iss, time.Now())), alg)
}

// TestTokensWithoutAUsableKID: which keys may have signed a token that names none,
// or one that nobody has.
func TestTokensWithoutAUsableKID(t *testing.T) {
	type members = map[string]any
	five := []string{"rsa-2048-a a", "rsa-2048-b b", "rsa-2048-c c", "rsa-2048-d d", "rsa-3072 e"}
	bare := []string{"rsa-2048-a", "rsa-2048-b", "rsa-2048-c", "rsa-2048-d", "rsa-3072"}
	unknown := members{"kid": "unheard-of"}
	for name, tc := range map[string]struct {
		set    []string
		key    string // that signs
		alg    string // default RS256
		header members
		want   string
		says   string
	}{
		"no kid, the first of two":                {five[:2], "rsa-2048-a", "", nil, "ok", ""},
		"no kid, the second of two":               {five[:2], "rsa-2048-b", "", nil, "ok", ""},
		"no kid, the fourth":                      {five, "rsa-2048-d", "", nil, "ok", ""},
		"no kid, the fifth":                       {five, "rsa-3072", "", nil, "signature", "no more than 4 keys"},
		"no kid, PS256 beside others":             {[]string{"p256-a x", "rsa-2048-a a", "rsa-2048-b b"}, "rsa-2048-b", "PS256", nil, "ok", ""},
		"no kid, of the second kind":              {[]string{"p256-a x", "p256-b y", "ed25519-a z"}, "p256-b", "ES256", nil, "ok", ""},
		"kid is null":                             {five[:2], "rsa-2048-b", "", members{"kid": nil}, "ok", ""},
		"no kid, a key without one":               {append(bare[:1:1], "rsa-2048-b b"), "rsa-2048-a", "", nil, "ok", ""},
		"no kid, a key that nobody published":     {five[:3], "rsa-3072", "", nil, "signature", "the token has no kid, and of the keys that serve RS256, 3 were tried"},
		"no kid, a key of another alg":            {[]string{"rsa-2048-a a alg=PS256", "rsa-2048-b b"}, "rsa-2048-a", "", nil, "signature", "1 was tried"},
		"no kid, and no key of the algorithm":     {five, "p256-a", "ES256", nil, "key", "no key of the set serves"},
		"no kid, and a key for encryption":        {[]string{"rsa-2048-a a use=enc", "rsa-2048-b b"}, "rsa-2048-a", "", nil, "signature", ""},
		"unknown kid, the one key has none":       {bare[:1], "rsa-2048-a", "", unknown, "ok", ""},
		"unknown kid, a key without one":          {[]string{"rsa-2048-b b", "rsa-2048-a"}, "rsa-2048-a", "", unknown, "ok", ""},
		"unknown kid, the fourth without one":     {bare, "rsa-2048-d", "", unknown, "ok", ""},
		"unknown kid, the fifth without one":      {bare, "rsa-3072", "", unknown, "key", "no more than 4 keys"},
		"unknown kid, a key that has another":     {five[:2], "rsa-2048-a", "", unknown, "key", `kid "unheard-of" is not in the set`},
		"unknown kid, though one has none":        {[]string{"rsa-2048-b b", "rsa-2048-a"}, "rsa-2048-b", "", unknown, "key", "of those that have none and serve RS256, 1 was tried in vain"},
		"unknown kid, one of another algorithm":   {[]string{"rsa-2048-b b", "p256-a"}, "rsa-2048-b", "", unknown, "key", ""},
		"a kid of another key":                    {five[:2], "rsa-2048-a", "", members{"kid": "b"}, "signature", ""},
		"a kid of a key, and one without":         {[]string{"rsa-2048-b b", "rsa-2048-a"}, "rsa-2048-a", "", members{"kid": "b"}, "signature", `got ["b"]`},
		"an empty kid is one that no key has":     {five[:2], "rsa-2048-a", "", members{"kid": ""}, "key", ""},
		"x5t":                                     {[]string{"rsa-2048-a a x5t=A", "rsa-2048-b b x5t=B"}, "rsa-2048-b", "", members{"x5t": "B"}, "ok", ""},
		"x5t of the fifth":                        {append(five[:4:4], "rsa-3072 e x5t=E"), "rsa-3072", "", members{"x5t": "E"}, "ok", ""},
		"x5t of another key":                      {[]string{"rsa-2048-a a x5t=A", "rsa-2048-b b x5t=B"}, "rsa-2048-b", "", members{"x5t": "A"}, "signature", "1 was tried"},
		"x5t of a key that nobody published":      {[]string{"rsa-2048-a a x5t=A"}, "rsa-3072", "", members{"x5t": "A"}, "signature", ""},
		"x5t that no key has":                     {[]string{"rsa-2048-a a x5t=A", "rsa-2048-b b"}, "rsa-2048-b", "", members{"x5t": "Z"}, "ok", ""},
		"x5t#S256":                                {append(five[:4:4], "rsa-3072 e x5t#S256=E"), "rsa-3072", "", members{"x5t#S256": "E"}, "ok", ""},
		"x5t that is no string":                   {five[:2], "rsa-2048-b", "", members{"x5t": 7}, "ok", ""},
		"unknown kid, and x5t of a key with one":  {[]string{"rsa-2048-a a x5t=A"}, "rsa-2048-a", "", members{"kid": "z", "x5t": "A"}, "key", ""},
		"a kid is stronger than an x5t":           {[]string{"rsa-2048-a a x5t=A", "rsa-2048-b b x5t=B"}, "rsa-2048-a", "", members{"kid": "a", "x5t": "B"}, "ok", ""},
		"no signature":                            {five, "rsa-2048-a", "-", nil, "signature", ""},
		"no kid, and jwk of the key that signs":   {five[:2], "rsa-3072", "", members{"jwk": json.RawMessage(testdata.PublicKey("rsa-3072"))}, "signature", ""},
		"unknown kid, and jwk of that key":        {bare[:2], "rsa-3072", "", members{"kid": "z", "jwk": json.RawMessage(testdata.PublicKey("rsa-3072"))}, "key", ""},
		"HMAC with a public key, no kid":          {bare[:2], "rsa-2048-a", "HS256", nil, "alg", ""},
		"an algorithm that is none of the issuer": {bare[:2], "rsa-2048-a", "RS512", nil, "alg", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				iss.SetJWKS(keysNamed(t, tc.set...), nil)
				v := newJWT(t, iss)
				alg, cut := tc.alg, tc.alg == "-"
				if alg == "" || cut {
					alg = "RS256"
				}
				var raw string
				if alg == "HS256" {
					raw = strings.Replace(byHeader(iss, tc.key, "RS256", tc.header), b64(`{"alg":"RS256"}`), b64(`{"alg":"HS256"}`), 1)
				} else {
					raw = byHeader(iss, tc.key, alg, tc.header)
				}
				if cut {
					raw = raw[:strings.LastIndexByte(raw, '.')+1]
				}
				for range 2 { // the second time from the cache, if it is good
					token, err := v.Verify(t.Context(), raw)
					wantOutcome(t, tc.want)(token, err)
					if err != nil && !strings.Contains(err.Error(), tc.says) {
						t.Errorf("%v does not say %q", err, tc.says)
					}
				}
				if fetched := iss.Requests(issuertest.JWKS); fetched > 3 {
					t.Errorf("%d fetches", fetched)
				}
			})
		})
	}
}

// TestTriesStayWithTheirIssuer: a key of one issuer proves nothing of another's
// tokens, whatever they name.
func TestTriesStayWithTheirIssuer(t *testing.T) {
	a, b := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	a.SetJWKS(keysNamed(t, "ed25519-a"), nil)
	b.SetJWKS(keysNamed(t, "ed25519-b x5t=B"), nil)
	v := newMany(t, keysOf(a), keysOf(b))
	for _, header := range []map[string]any{{}, {"kid": "z"}, {"x5t": "B"}, {"kid": "z", "x5t": "B"}} {
		wantOutcome(t, "ok")(v.Verify(t.Context(), byHeader(a, "ed25519-a", "EdDSA", header)))
		wantOutcome(t, "ok")(v.Verify(t.Context(), byHeader(b, "ed25519-b", "EdDSA", header)))
		for _, raw := range []string{byHeader(a, "ed25519-b", "EdDSA", header), byHeader(b, "ed25519-a", "EdDSA", header)} {
			if _, err := v.Verify(t.Context(), raw); err == nil {
				t.Errorf("%v: another issuer's key verified", header)
			}
		}
	}
}

// TestProofRemembersWhichKeyVerified: what was proven by the second of two keys ends
// with that one, and does not notice the end of the first.
func TestProofRemembersWhichKeyVerified(t *testing.T) {
	for name, tc := range map[string]struct{ left, want string }{
		"the key that verified stays": {"ed25519-b b", "ok"}, "the other one stays": {"ed25519-a a", "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				iss.SetJWKS(keysNamed(t, "ed25519-a a", "ed25519-b b"), nil)
				var way observe.Way
				v := newJWT(t, iss, func(c *validator.Config) {
					c.Observer = observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
						if e.Kind == observe.Accepted { // on this goroutine; what concerns keys is told on others
							way = e.Way
						}
					}}
				})
				raw := byHeader(iss, "ed25519-b", "EdDSA", nil)
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				iss.SetJWKS(keysNamed(t, tc.left), nil)
				_, _ = v.Verify(t.Context(), byHeader(iss, "ed25519-b", "EdDSA", map[string]any{"kid": "z"})) // a fetch
				wantRequests(t, iss, issuertest.JWKS, 2)
				synctest.Wait()
				wantOutcome(t, tc.want)(v.Verify(t.Context(), raw))
				if tc.want == "ok" && way != observe.ByCache {
					t.Errorf("proven by %q, wanted the cache", way)
				}
			})
		})
	}
}

// TestRotationWithoutKIDs: a key that was published a moment ago verifies at the
// next request, though no token names any.
func TestRotationWithoutKIDs(t *testing.T) {
	for name, header := range map[string]map[string]any{"no kid": nil, "a kid that no key has": {"kid": "z"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				iss.SetJWKS(keysNamed(t, "ed25519-a"), nil)
				v := newJWT(t, iss)
				old := byHeader(iss, "ed25519-a", "EdDSA", header)
				wantOutcome(t, "ok")(v.Verify(t.Context(), old))
				elapse(time.Minute)
				iss.SetJWKS(keysNamed(t, "ed25519-b"), nil)
				wantOutcome(t, "ok")(v.Verify(t.Context(), byHeader(iss, "ed25519-b", "EdDSA", header)))
				if outcome(v.Verify(t.Context(), old)) == "ok" {
					t.Error("a token of the key that went is let in")
				}
				// Down, nobody knows whose key it may be.
				elapse(time.Minute)
				iss.SetFault(issuertest.JWKS, issuertest.ServerError())
				wantOutcome(t, "ok")(v.Verify(t.Context(), byHeader(iss, "ed25519-b", "EdDSA", header)))
				wantOutcome(t, "unavailable")(v.Verify(t.Context(), byHeader(iss, "ed25519-a", "EdDSA", header)))
			})
		})
	}
}

// TestForgedTokensWithoutKIDFetchLittle: as few times as those with made-up kids.
func TestForgedTokensWithoutKIDFetchLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		iss.SetJWKS(keysNamed(t, "ed25519-a a"), nil)
		v := newJWT(t, iss)
		forged := byHeader(iss, "ed25519-b", "EdDSA", nil)
		for range 1000 {
			wantOutcome(t, "signature")(v.Verify(t.Context(), forged))
			elapse(10 * time.Millisecond)
		}
		if n := iss.Requests(issuertest.JWKS); n > 1+2+2 {
			t.Errorf("%d fetches in ten seconds", n)
		}
		unsigned := forged[:strings.LastIndexByte(forged, '.')+1]
		before := iss.Requests(issuertest.JWKS)
		elapse(time.Minute)
		wantOutcome(t, "signature")(v.Verify(t.Context(), unsigned))
		wantRequests(t, iss, issuertest.JWKS, before) // one that is not signed at all costs nothing
	})
}

// TestSignedAnswersWithoutKID are held to the same rules.
func TestSignedAnswersWithoutKID(t *testing.T) {
	for name, tc := range map[string]struct {
		set  []string
		kid  any
		want string
	}{
		"no kid, two keys":             {[]string{"ed25519-a a", "ed25519-b b"}, nil, "ok"},
		"unknown kid, one without":     {[]string{"ed25519-a a", "ed25519-b"}, "z", "ok"},
		"unknown kid, both have one":   {[]string{"ed25519-a a", "ed25519-b b"}, "z", "unavailable"},
		"no kid, and none of the keys": {[]string{"ed25519-a a"}, nil, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				iss.SetJWKS(keysNamed(t, tc.set...), nil)
				reach := signedAnswers(iss)
				reach.Keys = &jwks.Config{HTTPClient: iss.Client()}
				v := newMany(t, reach)
				answer := goodAnswer(iss, time.Now())
				answer.alg = "EdDSA"
				answer.header["alg"] = "EdDSA"
				delete(answer.header, "kid")
				if tc.kid != nil {
					answer.header["kid"] = tc.kid
				}
				answering(iss, mediaType, iss.SignWith("ed25519-b", object(answer.header), object(answer.payload), "EdDSA"))
				wantOutcome(t, tc.want)(v.Verify(t.Context(), "opaque-token"))
			})
		})
	}
}
