package providers_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// proofsOfFAPI are the algorithms of FAPI 2.0, §5.4.1.
func proofsOfFAPI() *dpop.Config {
	return &dpop.Config{Algorithms: []string{"PS256", "ES256", "EdDSA"}}
}

// bank is an issuer that FAPI2 holds to the profile, by keys, by introspection or by
// both.
func bank(fake *issuertest.Issuer, keys, asks bool) validator.Issuer {
	iss := validator.Issuer{URL: fake.URL(), Audience: []string{issuertest.Audience}}
	if keys {
		iss.Keys = &jwks.Config{HTTPClient: fake.Client()}
	}
	if asks {
		iss.Introspection = &introspection.Config{Endpoint: fake.IntrospectionURL(), Auth: auth, HTTPClient: fake.Client()}
	}
	return providers.FAPI2(iss)
}

// TestFAPI2: what the profile asks a resource server to accept is accepted, and what
// it must refuse is refused, with every other setting at its default.
func TestFAPI2(t *testing.T) {
	const url = "https://api.example.com/orders"
	fake := issuertest.NewInMemory(t)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa := testdata.PrivateKey("rsa-2048-a")
	mine, other := issuertest.ClientCertificate("reports"), issuertest.ClientCertificate("thief")
	byCertificate := func(c issuertest.Claims) issuertest.Claims {
		c.CertificateThumbprint = issuertest.CertificateThumbprint(mine.Leaf)
		return c
	}
	ways := map[string]*validator.Validator{}
	for name, iss := range map[string]validator.Issuer{
		"keys": bank(fake, true, false), "introspection": bank(fake, false, true), "both": bank(fake, true, true),
	} {
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}, DPoP: proofsOfFAPI()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		ways[name] = v
	}
	tests := []struct {
		name    string
		claims  issuertest.Claims
		key     crypto.Signer // of a proof; nil for none
		alg     string        // of the proof
		der     []byte
		bearer  bool              // as which it is shown
		outcome map[string]string // "" of a way is that of all
	}{
		{name: "by a certificate", claims: byCertificate(issuertest.Claims{Algorithm: "PS256"}), der: mine.Leaf.Raw, bearer: true},
		{name: "by a certificate, ES256", claims: byCertificate(issuertest.Claims{Algorithm: "ES256"}), der: mine.Leaf.Raw, bearer: true},
		{name: "by a certificate, EdDSA", claims: byCertificate(issuertest.Claims{Algorithm: "EdDSA"}), der: mine.Leaf.Raw, bearer: true},
		{name: "another certificate", claims: byCertificate(issuertest.Claims{Algorithm: "PS256"}), der: other.Leaf.Raw, bearer: true, outcome: all("cnf")},
		{name: "no certificate", claims: byCertificate(issuertest.Claims{Algorithm: "PS256"}), bearer: true, outcome: all("cnf")},
		{name: "by a key, ES256", claims: issuertest.Claims{Algorithm: "PS256"}, key: p256},
		{name: "by a key, PS256", claims: issuertest.Claims{Algorithm: "ES256"}, key: rsa, alg: "PS256"},
		{name: "by a key, EdDSA", claims: issuertest.Claims{Algorithm: "ES256"}, key: ed},
		{name: "a proof by RS256", claims: issuertest.Claims{Algorithm: "ES256"}, key: rsa, alg: "RS256", outcome: all("proof")},
		{name: "a proof by ES384", claims: issuertest.Claims{Algorithm: "ES256"}, key: p384, outcome: all("proof")},
		{name: "by a key, shown as a bearer token", claims: issuertest.Claims{Algorithm: "ES256"}, key: p256, bearer: true, outcome: all("cnf")},
		{name: "a bearer token", claims: issuertest.Claims{Algorithm: "PS256"}, bearer: true, outcome: all("cnf")},
		{name: "RS256", claims: byCertificate(issuertest.Claims{Algorithm: "RS256"}), der: mine.Leaf.Raw, bearer: true,
			outcome: map[string]string{"keys": "alg", "both": "alg"}}, // an answer has no algorithm
		{name: "ES384", claims: byCertificate(issuertest.Claims{Algorithm: "ES384"}), der: mine.Leaf.Raw, bearer: true,
			outcome: map[string]string{"keys": "alg", "both": "alg"}},
		{name: "issued in 10 s", claims: byCertificate(ahead(10*time.Second, 0)), der: mine.Leaf.Raw, bearer: true},
		{name: "issued in 61 s", claims: byCertificate(ahead(61*time.Second, 0)), der: mine.Leaf.Raw, bearer: true,
			outcome: map[string]string{"keys": "iat", "both": "iat"}}, // of JWTs alone the profile says so
		{name: "not before 10 s", claims: byCertificate(ahead(0, 10*time.Second)), der: mine.Leaf.Raw, bearer: true,
			outcome: map[string]string{"introspection": "active"}}, // the issuer itself judges that
		{name: "not before 61 s", claims: byCertificate(ahead(0, 61*time.Second)), der: mine.Leaf.Raw, bearer: true,
			outcome: map[string]string{"keys": "nbf", "introspection": "active", "both": "nbf"}},
		{name: "good for two hours", claims: byCertificate(issuertest.Claims{Algorithm: "ES256", ExpiresIn: 2 * time.Hour}), der: mine.Leaf.Raw, bearer: true,
			outcome: map[string]string{"keys": "exp", "both": "exp"}},
		{name: "for another API", claims: byCertificate(issuertest.Claims{Algorithm: "ES256", Audience: []string{"https://other.example.com"}}),
			der: mine.Leaf.Raw, bearer: true, outcome: all("aud")},
	}
	for _, tt := range tests {
		for name, v := range ways {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				claims := tt.claims
				if tt.key != nil {
					claims.JWKThumbprint = issuertest.Thumbprint(tt.key.Public())
				}
				token := fake.Token(claims)
				if name == "introspection" {
					token = fake.Opaque(claims)
				}
				r := &validator.Request{Scheme: "DPoP", Token: token, Method: "GET", URL: url, Certificate: tt.der}
				if tt.bearer {
					r.Scheme = "Bearer"
				}
				if tt.key != nil {
					r.Proofs = []string{issuertest.Proof(tt.key, issuertest.ProofClaims{URL: url, Token: token, Algorithm: tt.alg})}
				}
				_, err := v.VerifyRequest(t.Context(), r, nil)
				want := tt.outcome[name]
				if want == "" {
					want = "ok"
				}
				if got := outcome(err); got != want {
					t.Errorf("%s, wanted %s: %v", got, want, err)
				}
			})
		}
	}
}

// all is one outcome, whatever proves the token.
func all(outcome string) map[string]string {
	return map[string]string{"keys": outcome, "introspection": outcome, "both": outcome}
}

// ahead is a token of an issuer whose clock is ahead.
func ahead(iat, nbf time.Duration) issuertest.Claims {
	c := issuertest.Claims{Algorithm: "ES256", IssuedAt: time.Now().Add(iat), ExpiresIn: 10 * time.Minute}
	if nbf != 0 {
		c.NotBefore = time.Now().Add(nbf)
	}
	return c
}

// TestFAPI2Holds: an Issuer that is loosened afterwards is refused by New, and what a
// Resolver returns at its first token, each with the field's name.
func TestFAPI2Holds(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	never := func(*validator.Issuer) {}
	for name, tt := range map[string]struct {
		asks   bool // beside the keys
		change func(*validator.Issuer)
		config func(*validator.Config)
		want   string // "" for what may be changed
	}{
		"nothing":                   {change: never},
		"one algorithm":             {change: func(i *validator.Issuer) { i.Algorithms = []string{"ES256"} }},
		"an algorithm's other name": {change: func(i *validator.Issuer) { i.Algorithms = []string{"Ed25519"} }},
		"another lifetime":          {change: func(i *validator.Issuer) { i.MaxTokenLifetime = 24 * time.Hour }},
		"introspection alone":       {asks: true, change: func(i *validator.Issuer) { i.Keys, i.MaxTokenLifetime = nil, 0 }},
		"a skew of 10 s":            {change: never, config: func(c *validator.Config) { c.ClockSkew = 10 * time.Second }},
		"a skew of a minute":        {change: never, config: func(c *validator.Config) { c.ClockSkew = time.Minute }},
		"certificates alone":        {change: never, config: func(c *validator.Config) { c.DPoP = nil }},
		"proofs by one algorithm":   {change: never, config: func(c *validator.Config) { c.DPoP.Algorithms = []string{"ES256"} }},
		"proofs a minute ahead":     {change: never, config: func(c *validator.Config) { c.DPoP.MaxAhead = time.Minute }},
		"Binding":                   {change: func(i *validator.Issuer) { i.Binding = validator.BindingByToken }, want: "Binding accepts bearer tokens, wanted BindingRequired (§5.3.4)"},
		"Algorithms, the default":   {change: func(i *validator.Issuer) { i.Algorithms = nil }, want: "Algorithms is not set"},
		"Algorithms with RS256":     {change: func(i *validator.Issuer) { i.Algorithms = append(i.Algorithms, "RS256") }, want: `Algorithms holds ["RS256"], wanted some of ["PS256" "ES256" "EdDSA"] (§5.4.1)`},
		"MaxTokenLifetime":          {change: func(i *validator.Issuer) { i.MaxTokenLifetime = 0 }, want: "MaxTokenLifetime is 0"},
		"keys beside introspection": {asks: true, change: func(i *validator.Issuer) { i.MaxTokenLifetime = 0 }, want: "MaxTokenLifetime is 0"},
		"no audience":               {change: func(i *validator.Issuer) { i.Profile.NoAudience, i.Clients = true, []string{"reports"} }, want: "Profile.NoAudience is set"},
		"a missing audience":        {change: func(i *validator.Issuer) { i.DangerouslyAcceptMissingAudience = true }, want: "DangerouslyAcceptMissingAudience is set"},
		"a missing issuer":          {change: func(i *validator.Issuer) { i.DangerouslyAcceptMissingIssuer = true }, want: "DangerouslyAcceptMissingIssuer is set"},
		"another's answer":          {change: func(i *validator.Issuer) { i.DangerouslyAcceptAnswerID = true }, want: "DangerouslyAcceptAnswerID is set"},
		"http":                      {change: func(i *validator.Issuer) { i.DangerouslyAllowHTTP = true }, want: "DangerouslyAllowHTTP is set"},
		"http for keys":             {change: func(i *validator.Issuer) { i.Keys.DangerouslyAllowHTTP = true }, want: "Keys.DangerouslyAllowHTTP is set"},
		"http for introspection":    {asks: true, change: func(i *validator.Issuer) { i.Introspection.DangerouslyAllowHTTP = true }, want: "Introspection.DangerouslyAllowHTTP is set"},
		"no skew":                   {change: never, config: func(c *validator.Config) { c.ClockSkew = -1 }, want: "Config.ClockSkew is 0s, wanted 10s to 1m0s"},
		"a skew of 9 s":             {change: never, config: func(c *validator.Config) { c.ClockSkew = 9 * time.Second }, want: "Config.ClockSkew is 9s"},
		"a skew of 61 s":            {change: never, config: func(c *validator.Config) { c.ClockSkew = 61 * time.Second }, want: "Config.ClockSkew is 1m1s"},
		"proofs by default":         {change: never, config: func(c *validator.Config) { c.DPoP.Algorithms = nil }, want: "Config.DPoP.Algorithms is not set"},
		"proofs by RS256":           {change: never, config: func(c *validator.Config) { c.DPoP.Algorithms = []string{"ES256", "RS256"} }, want: `Config.DPoP.Algorithms holds ["RS256"]`},
		"proofs not ahead":          {change: never, config: func(c *validator.Config) { c.DPoP.MaxAhead = -1 }, want: "Config.DPoP.MaxAhead is 0s"},
		"called twice":              {change: func(i *validator.Issuer) { *i = providers.FAPI2(*i) }},
		"Binding and Profile":       {change: func(i *validator.Issuer) { i.Profile, i.Binding = validator.RFC9068(), validator.BindingByToken }, want: "Binding accepts"},
	} {
		t.Run(name, func(t *testing.T) {
			iss := bank(fake, true, tt.asks)
			tt.change(&iss)
			cfg := validator.Config{Issuers: []validator.Issuer{iss}, DPoP: proofsOfFAPI()}
			if tt.config != nil {
				tt.config(&cfg)
			}
			v, err := validator.New(cfg)
			if err == nil {
				v.Close()
			}
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), `validator: Issuer "`+fake.URL()+`": providers.FAPI2: `+tt.want) {
				t.Errorf("got %v, wanted %s", err, tt.want)
			}
			if iss.DangerouslyAcceptMissingIssuer {
				return // no Resolver may return such
			}
			cfg.Issuers, cfg.Resolver = nil, resolves(iss)
			if v, err = validator.New(cfg); err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			_, err = v.Verify(t.Context(), fake.Token(issuertest.Claims{Algorithm: "ES256"}))
			if !errors.Is(err, validator.ErrUnavailable) || !strings.Contains(err.Error(), "providers.FAPI2: ") {
				t.Errorf("from a Resolver: %v", err)
			}
		})
	}
}

// resolves is a Resolver that knows one issuer.
type resolves validator.Issuer

func (r resolves) ResolveIssuer(context.Context, string) (validator.Issuer, error) {
	return validator.Issuer(r), nil
}

// TestFAPI2Keeps: of what the Issuer had, FAPI2 changes what it must, and a preset's
// own fault stays one.
func TestFAPI2Keeps(t *testing.T) {
	for name, tt := range map[string]struct{ had, want []string }{
		"the default":      {nil, []string{"PS256", "ES256", "EdDSA"}},
		"none that may be": {[]string{"RS256"}, []string{"PS256", "ES256", "EdDSA"}},
		"some":             {[]string{"RS256", "ES256"}, []string{"ES256"}},
	} {
		had := slices.Clone(tt.had)
		got := providers.FAPI2(validator.Issuer{Algorithms: tt.had})
		if diff := cmp.Diff(tt.want, got.Algorithms); diff != "" {
			t.Error(name, diff)
		}
		if diff := cmp.Diff(had, tt.had); diff != "" {
			t.Error(name, "the argument was changed:", diff)
		}
	}
	if got := providers.FAPI2(validator.Issuer{MaxTokenLifetime: 5 * time.Minute}).MaxTokenLifetime; got != 5*time.Minute {
		t.Errorf("MaxTokenLifetime became %v", got)
	}
	_, err := validator.New(validator.Config{Issuers: []validator.Issuer{providers.FAPI2(providers.EntraID("common", api))}})
	if err == nil || strings.Contains(err.Error(), "FAPI2") || !strings.Contains(err.Error(), "would let every tenant in") {
		t.Errorf("got %v", err)
	}
}
