package testdata_test

import (
	"crypto"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/testdata"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKeyNames(t *testing.T) {
	want := []string{
		"ed25519-a", "ed25519-b", "p256-a", "p256-b", "p384", "p521",
		"rsa-1024", "rsa-2048-a", "rsa-2048-b", "rsa-2048-c", "rsa-2048-d", "rsa-3072",
	}
	if diff := cmp.Diff(want, testdata.KeyNames()); diff != "" {
		t.Error(diff)
	}
}

// Each private key is the one whose public half is published.
func TestKeys(t *testing.T) {
	for _, name := range testdata.KeyNames() {
		t.Run(name, func(t *testing.T) {
			private := parseJWK(t, testdata.Key(name))
			if private.KeyID != name || private.D == "" {
				t.Errorf("kid %q, private part of %d characters", private.KeyID, len(private.D))
			}
			public := parseJWK(t, testdata.PublicKey(name))
			if public.KeyID != name || public.D != "" {
				t.Errorf("public key with kid %q, private part of %d characters", public.KeyID, len(public.D))
			}
			type equaler interface{ Equal(crypto.PublicKey) bool }
			if !testdata.PrivateKey(name).Public().(equaler).Equal(public.public(t)) {
				t.Error("the halves do not belong together")
			}
		})
	}
}

func TestUnknownKeyPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	testdata.Key("none")
}

func TestRFC(t *testing.T) {
	vectors := testdata.RFC()
	if len(vectors) < 10 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			var header struct {
				Algorithm string `json:"alg"`
			}
			first, _, _ := strings.Cut(v.JWS, ".")
			if err := json.Unmarshal(decode(t, first), &header); err != nil || header.Algorithm != v.Algorithm {
				t.Fatalf("header says alg %q (%v), the vector %q", header.Algorithm, err, v.Algorithm)
			}
			if v.Want == "alg" {
				if v.Algorithm != "HS256" && v.Algorithm != "none" {
					t.Errorf("algorithm %q is refused", v.Algorithm)
				}
				return
			}
			got := verify(t, parseJWK(t, v.Key).public(t), v.Algorithm, v.JWS)
			if want := v.Want == "ok"; got != want {
				t.Errorf("signature verifies: %v, want %v", got, want)
			}
		})
	}
}

func TestRecordedServers(t *testing.T) {
	var got []string
	for _, s := range testdata.Recorded() {
		got = append(got, s.Name)
		if s.Version == "" || s.Issuer == "" || s.JWKSURI == "" || s.Audience == "" || !json.Valid(s.Document) {
			t.Errorf("%s: a field is empty", s.Name)
		}
	}
	if diff := cmp.Diff([]string{"lemonldap", "oidc-provider", "zitadel-oidc"}, got); diff != "" {
		t.Error(diff)
	}
}

// The outcomes are consistent with what the tokens say, read as plainly as can
// be: no verifier, one check at a time.
func TestRecordedOutcomes(t *testing.T) {
	wants := make(map[string]int)
	for _, s := range testdata.Recorded() {
		for _, token := range s.Tokens {
			t.Run(s.Name+"/"+token.Name, func(t *testing.T) {
				proofs := make(map[string]int)
				for _, o := range token.Outcomes {
					proofs[o.Proof]++
					wants[o.Want]++
					if o.Clock.Unix() < 1795164000 || o.Clock.Unix() > 1795166000 {
						t.Errorf("%s: judged at %v, far from the recording", o.Want, o.Clock)
					}
					switch o.Proof {
					case "jwt":
						checkJWT(t, s, token, o)
					case "introspection":
						checkAnswer(t, s, token, o)
					}
				}
				if proofs["jwt"] == 0 || proofs["introspection"] == 0 || len(proofs) != 2 {
					t.Errorf("outcomes by proof: %v", proofs)
				}
			})
		}
	}
	for _, want := range []string{"ok", "alg", "aud", "exp", "cnf", "scope", "shape", "active", "unavailable"} {
		if wants[want] == 0 {
			t.Errorf("no outcome %q", want)
		}
	}
}

// claims are those that decide an outcome, of a JWT or an introspection answer.
type claims struct {
	Active   bool            `json:"active"`
	Issuer   string          `json:"iss"`
	Audience json.RawMessage `json:"aud"`
	Expiry   int64           `json:"exp"`
	Scope    string          `json:"scope"`
	Binding  json.RawMessage `json:"cnf"`
}

func (c claims) check(t *testing.T, s testdata.Server, o testdata.Outcome) {
	t.Helper()
	forUs := strings.Contains(string(c.Audience), `"`+s.Audience+`"`) || c.Audience == nil && o.MissingAudienceAllowed
	expired := o.Clock.Unix() >= c.Expiry+30
	scopes := strings.Fields(c.Scope)
	good := forUs && !expired && c.Binding == nil
	switch o.Want {
	case "ok":
		if !good || !slices.Equal(scopes, o.Scopes) {
			t.Errorf("ok: audience %v, expired %v, scopes %q", forUs, expired, scopes)
		}
	case "scope":
		if !good || o.Requires == "" || slices.Contains(scopes, o.Requires) {
			t.Errorf("scope: audience %v, expired %v, scopes %q, requires %q", forUs, expired, scopes, o.Requires)
		}
	case "aud":
		if forUs {
			t.Errorf("aud is %s", c.Audience)
		}
	case "exp":
		if !expired {
			t.Errorf("exp is %d, judged at %d", c.Expiry, o.Clock.Unix())
		}
	case "cnf":
		if c.Binding == nil {
			t.Error("no cnf")
		}
	default:
		t.Errorf("unexpected outcome %q", o.Want)
	}
}

func checkJWT(t *testing.T, s testdata.Server, token testdata.Token, o testdata.Outcome) {
	t.Helper()
	if o.Want == "shape" {
		if token.Format == "jws" {
			t.Error("shape: the token is a JWT")
		}
		return
	}
	parts := strings.Split(token.Raw, ".")
	if len(parts) != 3 {
		t.Fatalf("%s: %d segments", o.Want, len(parts))
	}
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	if err := json.Unmarshal(decode(t, parts[0]), &header); err != nil {
		t.Fatal(err)
	}
	allowed := o.Algorithms
	if allowed == nil {
		allowed = []string{"RS256", "PS256", "ES256", "EdDSA", "Ed25519"}
	}
	if got := slices.Contains(allowed, header.Algorithm); got == (o.Want == "alg") {
		t.Fatalf("%s: algorithm %s allowed: %v", o.Want, header.Algorithm, got)
	}
	if o.Want == "alg" {
		return
	}

	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(s.JWKS, &set); err != nil {
		t.Fatal(err)
	}
	signed := false
	for _, raw := range set.Keys {
		if key := parseJWK(t, raw); key.KeyID == header.KeyID {
			signed = verify(t, key.public(t), header.Algorithm, token.Raw)
		}
	}
	if !signed {
		t.Errorf("%s: the signature does not verify", o.Want)
	}
	var c claims
	if err := json.Unmarshal(decode(t, parts[1]), &c); err != nil {
		t.Fatal(err)
	}
	if c.Issuer != s.Issuer {
		t.Errorf("issuer %q", c.Issuer)
	}
	c.check(t, s, o)
}

func checkAnswer(t *testing.T, s testdata.Server, token testdata.Token, o testdata.Outcome) {
	t.Helper()
	if got := token.IntrospectionStatus != 200; got != (o.Want == "unavailable") {
		t.Fatalf("%s: introspection answered %d", o.Want, token.IntrospectionStatus)
	}
	if o.Want == "unavailable" {
		return
	}
	var c claims
	if err := json.Unmarshal(token.Introspection, &c); err != nil {
		t.Fatal(err)
	}
	if c.Active == (o.Want == "active") {
		t.Fatalf("%s: active is %v", o.Want, c.Active)
	}
	if c.Active {
		c.check(t, s, o)
	}
}
