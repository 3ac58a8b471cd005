package validator_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// thumbprintOf is what cnf has of a certificate (RFC 8705 §3.1).
func thumbprintOf(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestCertificateBoundTokens: a token that names a certificate is accepted from who
// shows that certificate, at the first sight and at every hit, and from nobody else.
func TestCertificateBoundTokens(t *testing.T) {
	mine, other := []byte("0 the DER of a certificate"), []byte("0 that of another")
	bound := map[string]any{"x5t#S256": thumbprintOf(mine)}
	iss := issuertest.New(t)
	fresh := func(c *validator.Config) { c.Issuers[0].Introspection = introspectionAt(iss) }
	both := newJWT(t, iss, fresh)
	for how, by := range map[string]struct {
		v    *validator.Validator
		make func(issuertest.Claims) string
		d    validator.Demand
	}{
		"JWT":          {newJWT(t, iss), iss.Token, validator.Demand{}},
		"opaque":       {newOpaque(t, iss), iss.Opaque, validator.Demand{}},
		"fresh JWT":    {both, iss.Token, validator.Demand{MaxAge: new(time.Duration)}},
		"fresh opaque": {both, iss.Opaque, validator.Demand{MaxAge: new(time.Duration)}},
		"no cache":     {newJWT(t, iss, func(c *validator.Config) { c.CacheEntries = -1 }), iss.Token, validator.Demand{}},
	} {
		for name, tc := range map[string]struct {
			cnf   any
			shown []byte
			bound bool
			want  string
		}{
			"its certificate":                   {bound, mine, false, "ok"},
			"another":                           {bound, other, false, "cnf"},
			"none":                              {bound, nil, false, "cnf"},
			"an empty one":                      {bound, []byte{}, false, "cnf"},
			"its certificate and a byte more":   {bound, append([]byte(nil), append(mine, 0)...), false, "cnf"},
			"its certificate on a bound route":  {bound, mine, true, "ok"},
			"another on a bound route":          {bound, other, true, "cnf"},
			"a bearer token with a certificate": {nil, mine, false, "ok"},
			"a bearer token on a bound route":   {nil, mine, true, "cnf"},
			"beside a key that none proves":     {map[string]any{"x5t#S256": thumbprintOf(mine), "jkt": thumbprintOf(other)}, mine, false, "cnf"},
			"beside a kid":                      {map[string]any{"x5t#S256": thumbprintOf(mine), "kid": "a"}, mine, false, "cnf"},
			"beside x5t":                        {map[string]any{"x5t#S256": thumbprintOf(mine), "x5t": "a"}, mine, false, "cnf"},
			"in standard base64":                {map[string]any{"x5t#S256": base64.StdEncoding.EncodeToString(sumOf(mine))}, mine, false, "cnf"},
			"padded":                            {map[string]any{"x5t#S256": thumbprintOf(mine) + "="}, mine, false, "cnf"},
			"in hexadecimal":                    {map[string]any{"x5t#S256": fmt.Sprintf("%x", sumOf(mine))}, mine, false, "cnf"},
			"with stray bits":                   {map[string]any{"x5t#S256": stray(thumbprintOf(mine))}, mine, false, "cnf"},
			"in a list":                         {map[string]any{"x5t#S256": []string{thumbprintOf(mine)}}, mine, false, "cnf"},
			"by another hash":                   {map[string]any{"x5t#S512": thumbprintOf(mine)}, mine, false, "cnf"},
			"in another case":                   {map[string]any{"X5T#S256": thumbprintOf(mine)}, mine, false, "cnf"},
			"null":                              {map[string]any{"x5t#S256": nil}, mine, false, "cnf"},
			"cnf is empty":                      {map[string]any{}, mine, false, "cnf"},
			"cnf is a string":                   {thumbprintOf(mine), mine, false, "cnf"},
		} {
			t.Run(how+", "+name, func(t *testing.T) {
				claims := issuertest.Claims{}
				if tc.cnf != nil {
					claims.Extra = map[string]any{"cnf": tc.cnf}
				}
				raw := by.make(claims)
				d := by.d
				d.Bound = tc.bound
				for range 3 {
					a, err := by.v.VerifyRequest(t.Context(), &validator.Request{Scheme: "Bearer", Token: raw, Certificate: tc.shown}, &d)
					wantOutcome(t, tc.want)(a.Token, err)
				}
				if tc.cnf != nil && tc.shown != nil { // what one was let in with lets nobody else in
					a, err := by.v.VerifyRequest(t.Context(), &validator.Request{Token: raw}, &d)
					wantOutcome(t, "cnf")(a.Token, err)
					token, err := by.v.Verify(t.Context(), raw)
					wantOutcome(t, "cnf")(token, err)
				}
			})
		}
	}
}

// TestKeycloakNamesTheKindOfKey: what stands beside jkt there says what the key is for,
// and any other use is one that no DPoP proof is for.
func TestKeycloakNamesTheKindOfKey(t *testing.T) {
	iss := issuertest.New(t)
	v := newJWT(t, iss, func(c *validator.Config) { c.DPoP = new(dpop.Config) })
	key := thumbprintOf([]byte("a key"))
	for name, tc := range map[string]struct {
		cnf  map[string]any
		want string
	}{
		"jkt":                   {map[string]any{"jkt": key}, "proof"}, // which is all that it lacks
		"of DPoP proofs":        {map[string]any{"jkt": key, "kc-jkt-type": "DPoP"}, "proof"},
		"of a client's":         {map[string]any{"jkt": key, "kc-jkt-type": "Client-Attestation"}, "cnf"},
		"in other letters":      {map[string]any{"jkt": key, "kc-jkt-type": "dpop"}, "cnf"},
		"null":                  {map[string]any{"jkt": key, "kc-jkt-type": nil}, "cnf"},
		"a list":                {map[string]any{"jkt": key, "kc-jkt-type": []string{"DPoP"}}, "cnf"},
		"without jkt":           {map[string]any{"kc-jkt-type": "DPoP"}, "cnf"},
		"beside a certificate":  {map[string]any{"x5t#S256": key, "kc-jkt-type": "DPoP"}, "cnf"},
		"beside something else": {map[string]any{"jkt": key, "kc-jkt-type": "DPoP", "kid": "a"}, "cnf"},
		"under another name":    {map[string]any{"jkt": key, "kc-jkt": "DPoP"}, "cnf"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := iss.Token(issuertest.Claims{Extra: map[string]any{"cnf": tc.cnf}})
			a, err := v.VerifyRequest(t.Context(), &validator.Request{Scheme: "DPoP", Token: raw, Method: "GET", URL: "https://api.example.com/"}, nil)
			wantOutcome(t, tc.want)(a.Token, err)
		})
	}
}

func sumOf(der []byte) []byte {
	sum := sha256.Sum256(der)
	return sum[:]
}

// stray is another text for the same bytes, to a decoder that is not strict.
func stray(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(text) - 1
	return text[:last] + string(alphabet[strings.IndexByte(alphabet, text[last])^1])
}

// TestBindingOfTheIssuer: an issuer's bearer tokens can be refused altogether.
func TestBindingOfTheIssuer(t *testing.T) {
	mine := []byte("0 the DER of a certificate")
	iss := issuertest.New(t)
	required := func(c *validator.Config) { c.Issuers[0].Binding = validator.BindingRequired }
	for how, by := range map[string]struct {
		v    *validator.Validator
		make func(issuertest.Claims) string
	}{
		"JWT": {newJWT(t, iss, required), iss.Token}, "opaque": {newOpaque(t, iss, required), iss.Opaque},
	} {
		for name, tc := range map[string]struct {
			cnf  map[string]any
			want string
		}{
			"a bearer token": {nil, "cnf"}, "a bound one": {map[string]any{"cnf": map[string]any{"x5t#S256": thumbprintOf(mine)}}, "ok"},
		} {
			t.Run(how+", "+name, func(t *testing.T) {
				a, err := by.v.VerifyRequest(t.Context(), &validator.Request{Token: by.make(issuertest.Claims{Extra: tc.cnf}), Certificate: mine}, nil)
				wantOutcome(t, tc.want)(a.Token, err)
				if err != nil && !strings.Contains(err.Error(), "Issuer.Binding") {
					t.Errorf("the error does not name the field: %v", err)
				}
			})
		}
	}
	_, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: "https://id.example.com", Audience: []string{"a"}, Binding: 7}}})
	if err == nil || !strings.Contains(err.Error(), "Binding is 7, wanted BindingByToken or BindingRequired") {
		t.Errorf("got %v, wanted a fault of Binding", err)
	}
}

// TestAnswersAboutBoundJWTs: an answer must name the sender that the JWT names.
func TestAnswersAboutBoundJWTs(t *testing.T) {
	mine, other := []byte("0 the DER of a certificate"), []byte("0 that of another")
	cnf := func(der []byte) map[string]any { return map[string]any{"x5t#S256": thumbprintOf(der)} }
	iss := issuertest.New(t)
	fresh := newJWT(t, iss, func(c *validator.Config) { c.Issuers[0].Introspection = introspectionAt(iss) })
	asked := newOpaque(t, iss)
	for name, tc := range map[string]struct {
		jwt, answer, kind any
		shown             []byte
		fresh, asked      string
	}{
		"the same in both":           {cnf(mine), cnf(mine), nil, mine, "ok", "ok"},
		"the same, another shown":    {cnf(mine), cnf(mine), nil, other, "cnf", "cnf"},
		"in the JWT alone":           {cnf(mine), nil, nil, mine, "ok", "ok"},
		"in the JWT alone, no cert":  {cnf(mine), nil, nil, nil, "cnf", "cnf"},
		"in the answer alone":        {nil, cnf(mine), nil, mine, "cnf", "ok"},
		"two that differ, the JWT's": {cnf(mine), cnf(other), nil, mine, "cnf", "cnf"},
		"two that differ, the other": {cnf(mine), cnf(other), nil, other, "cnf", "cnf"},
		"one more in the answer":     {cnf(mine), map[string]any{"x5t#S256": thumbprintOf(mine), "jkt": thumbprintOf(other)}, nil, mine, "cnf", "cnf"},
		"the answer's is DPoP":       {cnf(mine), nil, "DPoP", mine, "cnf", "cnf"},
		"the JWT's is unknown":       {map[string]any{"jku": "x"}, cnf(mine), nil, mine, "cnf", "cnf"},
		"the JWT's is null":          {json.RawMessage("null"), cnf(mine), nil, mine, "cnf", "cnf"},
	} {
		t.Run(name, func(t *testing.T) {
			claims := issuertest.Claims{Extra: map[string]any{}}
			if tc.jwt != nil {
				claims.Extra["cnf"] = tc.jwt
			}
			raw := iss.Token(claims)
			answer := `"active":true,"aud":"` + issuertest.Audience + `"`
			if tc.answer != nil {
				answer += `,"cnf":` + jsonText(t, tc.answer)
			}
			if tc.kind != nil {
				answer += `,"token_type":` + jsonText(t, tc.kind)
			}
			iss.SetFault(issuertest.Introspection, issuertest.Respond(200, nil, `{`+answer+`}`))
			defer iss.SetFault(issuertest.Introspection, nil)
			shown := &validator.Request{Token: raw, Certificate: tc.shown}
			a, err := fresh.VerifyRequest(t.Context(), shown, &validator.Demand{MaxAge: new(time.Duration)})
			wantOutcome(t, tc.fresh)(a.Token, err)
			a, err = asked.VerifyRequest(t.Context(), shown, nil)
			wantOutcome(t, tc.asked)(a.Token, err)
		})
	}
}

// TestCertificateThatCannotBeRead: why it cannot is for logs, and only a token that
// needs it is refused for that.
func TestCertificateThatCannotBeRead(t *testing.T) {
	iss := issuertest.New(t)
	v := newJWT(t, iss)
	bound := iss.Token(issuertest.Claims{Extra: map[string]any{"cnf": map[string]any{"x5t#S256": thumbprintOf([]byte("0"))}}})
	broken := errors.New("two Client-Cert fields")
	for name, tc := range map[string]struct {
		token string
		cause error
		want  error
	}{
		"a bearer token":  {iss.Token(issuertest.Claims{}), broken, nil},
		"a bound one":     {bound, broken, validator.ErrInvalidToken},
		"nobody can tell": {bound, fmt.Errorf("no peer: %w", validator.ErrUnavailable), validator.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.VerifyRequest(t.Context(), &validator.Request{Token: tc.token, CertificateErr: tc.cause, Certificate: []byte("0")}, nil)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, wanted %v", err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), strings.SplitN(tc.cause.Error(), ":", 2)[0]) {
				t.Errorf("the cause is lost: %v", err)
			}
		})
	}
}

func jsonText(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSpentProofs: the context of a request that was let in finds its own proof spent,
// for the same token and at the same validator, and no other.
func TestSpentProofs(t *testing.T) {
	const url = "https://api.example.com/orders"
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	withDPoP := func(c *validator.Config) { c.DPoP = &dpop.Config{} }
	v, other := newJWT(t, iss, withDPoP), newJWT(t, iss, withDPoP)
	newToken := func() string {
		return iss.Token(issuertest.Claims{Extra: map[string]any{"jti": rand.Text()}, JWKThumbprint: issuertest.Thumbprint(key.Public())})
	}
	shown := func(token string) *validator.Request {
		return &validator.Request{Scheme: "DPoP", Token: token, Method: "GET", URL: url, Proofs: []string{issuertest.Proof(key, issuertest.ProofClaims{URL: url, Token: token, ID: "one"})}}
	}
	token := newToken()
	r := shown(token)
	a, err := v.VerifyRequest(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	within := a.NewContext(t.Context())
	if validator.FromContext(within) != a.Token {
		t.Error("the context does not carry the token")
	}
	for name, tc := range map[string]struct {
		ctx  context.Context
		v    *validator.Validator
		r    *validator.Request
		want string
	}{
		"the same request":                   {within, v, r, "ok"},
		"another one, with its proof":        {t.Context(), v, r, "proof"},
		"another proof with its jti":         {within, v, shown(token), "proof"},
		"another token, a proof of that jti": {within, v, shown(newToken()), "proof"},
		"no proof":                           {within, v, &validator.Request{Scheme: "DPoP", Token: token, Method: "GET", URL: url}, "proof"},
		"for another method":                 {within, v, &validator.Request{Scheme: "DPoP", Token: token, Method: "POST", URL: url, Proofs: r.Proofs}, "proof"},
		"without the protocol's URL":         {within, v, &validator.Request{Scheme: "DPoP", Token: token, Method: "GET", Proofs: r.Proofs}, "proof"},
		"without a scheme":                   {within, v, &validator.Request{Token: token, Method: "GET", URL: url, Proofs: r.Proofs}, "cnf"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := tc.v.VerifyRequest(tc.ctx, tc.r, nil)
			wantOutcome(t, tc.want)(a.Token, err)
		})
	}
	t.Run("at another validator", func(t *testing.T) {
		if _, err := other.VerifyRequest(within, r, nil); err != nil {
			t.Fatal(err) // it has not seen the proof
		}
		a, err := other.VerifyRequest(within, r, nil)
		wantOutcome(t, "proof")(a.Token, err)
	})
}

// TestNobodyIsAskedAboutAStolenToken: RequireFresh costs the issuer nothing until the
// sender has proven who it is, and spends the proof once.
func TestNobodyIsAskedAboutAStolenToken(t *testing.T) {
	const url = "https://api.example.com/orders"
	iss := issuertest.New(t)
	key, foreign := testdata.PrivateKey("p256-a"), testdata.PrivateKey("p256-b")
	v := newJWT(t, iss, func(c *validator.Config) {
		c.DPoP, c.Issuers[0].Introspection = &dpop.Config{}, introspectionAt(iss)
	})
	raw := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	fresh := &validator.Demand{MaxAge: new(time.Duration)}
	shown := func(proofs ...string) *validator.Request {
		return &validator.Request{Scheme: "DPoP", Token: raw, Method: "GET", URL: url, Proofs: proofs}
	}
	for _, r := range []*validator.Request{
		shown(), shown("garbage"), shown(issuertest.Proof(foreign, issuertest.ProofClaims{URL: url, Token: raw})), {Token: raw},
	} {
		if _, err := v.VerifyRequest(t.Context(), r, fresh); !errors.Is(err, validator.ErrInvalidToken) {
			t.Errorf("%v", err)
		}
	}
	wantRequests(t, iss, issuertest.Introspection, 0)
	good := shown(issuertest.Proof(key, issuertest.ProofClaims{URL: url, Token: raw}))
	for n, want := range []string{"ok", "proof"} {
		a, err := v.VerifyRequest(t.Context(), good, fresh)
		wantOutcome(t, want)(a.Token, err)
		if n == 0 {
			wantRequests(t, iss, issuertest.Introspection, 1)
		}
	}
}

// TestProofThatHoldsTheToken where it does not belong: no text shows it.
func TestProofThatHoldsTheToken(t *testing.T) {
	const url = "https://api.example.com/orders"
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	claims := issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())}
	withDPoP := func(c *validator.Config) { c.DPoP = &dpop.Config{} }
	for raw, v := range map[string]*validator.Validator{iss.Opaque(claims): newOpaque(t, iss, withDPoP), iss.Token(claims): newJWT(t, iss, withDPoP)} {
		tail := raw[max(0, len(raw)-300):]
		for name, c := range map[string]issuertest.ProofClaims{
			"htm": {Method: raw, URL: url}, "htu": {URL: "https://api.example.com/" + raw}, "host": {URL: "https://" + raw}, "behind a host": {URL: "https://api.example.com/a/" + tail + "/b"},
			"typ": {URL: url, Header: map[string]any{"typ": tail}}, "no URL": {URL: raw},
		} {
			c.Token = raw
			_, err := v.VerifyRequest(t.Context(), &validator.Request{Scheme: "DPoP", Token: raw, Method: "GET", URL: url, Proofs: []string{issuertest.Proof(key, c)}}, nil)
			e, ok := err.(*validator.Error)
			if !ok || e.Check() != validator.CheckProof || e.Description() == "" {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for from := 0; from+20 <= len(raw); from++ {
				if strings.Contains(e.Error(), raw[from:from+20]) {
					t.Errorf("%s: %v", name, err)
					break
				}
			}
		}
	}
}

// TestBothBindings: a token that names a key and a certificate needs both, whether it is
// a JWT or introspection says so.
func TestBothBindings(t *testing.T) {
	const url = "https://api.example.com/orders"
	iss := issuertest.New(t)
	key, foreign := testdata.PrivateKey("p256-a"), testdata.PrivateKey("p256-b")
	mine, other := []byte("0 the DER of a certificate"), []byte("0 that of another")
	withDPoP := func(c *validator.Config) { c.DPoP = &dpop.Config{} }
	claims := issuertest.Claims{Extra: map[string]any{"cnf": map[string]any{"jkt": issuertest.Thumbprint(key.Public()), "x5t#S256": thumbprintOf(mine)}}}
	for how, by := range map[string]struct {
		v   *validator.Validator
		raw string
	}{"JWT": {newJWT(t, iss, withDPoP), iss.Token(claims)}, "opaque": {newOpaque(t, iss, withDPoP), iss.Opaque(claims)}} {
		for name, tc := range map[string]struct {
			scheme      string
			key         crypto.Signer
			certificate []byte
			want        string
		}{
			"both":                         {"DPoP", key, mine, "ok"},
			"another certificate":          {"DPoP", key, other, "cnf"},
			"no certificate":               {"DPoP", key, nil, "cnf"},
			"another key":                  {"DPoP", foreign, mine, "cnf"},
			"no proof":                     {"DPoP", nil, mine, "proof"},
			"a proof, as a bearer token":   {"Bearer", key, mine, "cnf"},
			"no proof, as a bearer token":  {"Bearer", nil, mine, "cnf"},
			"a proof in a scheme of none":  {"", key, mine, "cnf"},
			"another scheme than either's": {"Basic", key, mine, "missing"},
		} {
			t.Run(how+", "+name, func(t *testing.T) {
				for range 2 {
					r := &validator.Request{Scheme: tc.scheme, Token: by.raw, Method: "GET", URL: url, Certificate: tc.certificate}
					if tc.key != nil {
						r.Proofs = []string{issuertest.Proof(tc.key, issuertest.ProofClaims{URL: url, Token: by.raw})}
					}
					a, err := by.v.VerifyRequest(t.Context(), r, &validator.Demand{Bound: true})
					wantOutcome(t, tc.want)(a.Token, err)
				}
			})
		}
	}
}
