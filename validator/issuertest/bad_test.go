package issuertest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// flaws finds what is wrong with a JWT, by plain checks that share nothing with
// the code that made it.
func flaws(t *testing.T, iss *issuertest.Issuer, token string) []string {
	t.Helper()
	var found []string
	parts := strings.Split(token, ".")
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	if err := json.Unmarshal(decode(t, parts[0]), &header); err != nil {
		t.Fatal(err)
	}
	key, known := fetchKeys(t, iss)[header.KeyID]
	switch {
	case header.Algorithm == "none" || header.Algorithm == "HS256":
		found = append(found, "alg "+header.Algorithm)
	case !known:
		found = append(found, "kid")
	case !signedBy(t, key, header.Algorithm, token):
		found = append(found, "signature")
	}
	var c struct {
		Issuer    string          `json:"iss"`
		Audience  string          `json:"aud"`
		Expiry    *int64          `json:"exp"`
		NotBefore int64           `json:"nbf"`
		Binding   json.RawMessage `json:"cnf"`
	}
	if err := json.Unmarshal(decode(t, parts[1]), &c); err != nil {
		return append(found, "payload")
	}
	if c.Issuer != iss.URL() {
		found = append(found, "iss")
	}
	if c.Audience != issuertest.Audience {
		found = append(found, "aud "+c.Audience)
	}
	if c.Expiry == nil {
		found = append(found, "no exp")
	} else if time.Unix(*c.Expiry, 0).Before(fixed.Add(-5 * time.Minute)) {
		found = append(found, "exp")
	}
	if time.Unix(c.NotBefore, 0).After(fixed.Add(5 * time.Minute)) {
		found = append(found, "nbf")
	}
	if c.Binding != nil {
		found = append(found, "cnf")
	}
	return found
}

// A bad token is wrong in exactly the way that was asked for.
func TestBad(t *testing.T) {
	wants := map[issuertest.Bad]string{
		issuertest.Expired:       "exp",
		issuertest.NotYetValid:   "nbf",
		issuertest.NoExpiry:      "no exp",
		issuertest.WrongAudience: "aud https://other.example.test",
		issuertest.NoAudience:    "aud ",
		issuertest.WrongIssuer:   "iss",
		issuertest.Tampered:      "signature",
		issuertest.OtherKey:      "signature",
		issuertest.UnknownKey:    "kid",
		issuertest.AlgNone:       "alg none",
		issuertest.AlgHS256:      "alg HS256",
		issuertest.SenderBound:   "cnf",
		issuertest.Malformed:     "payload",
	}
	iss := newFixed(t)
	if found := flaws(t, iss, iss.Token(issuertest.Claims{})); found != nil {
		t.Fatalf("a good token is wrong: %q", found)
	}
	for _, kind := range issuertest.Bads() {
		for _, alg := range []string{"RS256", "ES384", "EdDSA"} {
			t.Run(kind.String()+"/"+alg, func(t *testing.T) {
				found := flaws(t, iss, iss.Bad(kind, issuertest.Claims{Algorithm: alg, Scope: "read"}))
				if len(found) != 1 || found[0] != wants[kind] {
					t.Errorf("wrong with it: %q, want %q", found, wants[kind])
				}
			})
		}
	}
	if len(issuertest.Bads()) != len(wants) {
		t.Errorf("%d kinds, %d expectations", len(issuertest.Bads()), len(wants))
	}
}

func TestBadOpaque(t *testing.T) {
	wants := map[issuertest.Bad]string{
		issuertest.Expired:       "active",
		issuertest.NotYetValid:   "active",
		issuertest.WrongAudience: "aud",
		issuertest.NoAudience:    "aud",
		issuertest.WrongIssuer:   "iss",
		issuertest.SenderBound:   "cnf",
		issuertest.Revoked:       "active",
		issuertest.Unknown:       "active",
	}
	iss := newFixed(t)
	for _, kind := range issuertest.OpaqueBads() {
		t.Run(kind.String(), func(t *testing.T) {
			token := iss.BadOpaque(kind, issuertest.Claims{})
			if strings.Contains(token, ".") {
				t.Errorf("the token is not opaque")
			}
			got := introspect(t, iss, token)
			found := ""
			switch {
			case got["active"] != true:
				found = "active"
			case got["iss"] != iss.URL():
				found = "iss"
			case got["aud"] != issuertest.Audience:
				found = "aud"
			case got["cnf"] != nil:
				found = "cnf"
			}
			if found != wants[kind] {
				t.Errorf("wrong with it: %q, want %q", found, wants[kind])
			}
		})
	}
	if len(issuertest.OpaqueBads()) != len(wants) {
		t.Errorf("%d kinds, %d expectations", len(issuertest.OpaqueBads()), len(wants))
	}
}

func TestBadString(t *testing.T) {
	seen := make(map[string]bool)
	for kind := issuertest.Expired; kind <= issuertest.Unknown; kind++ {
		if name := kind.String(); name == "" || seen[name] {
			t.Errorf("kind %d is called %q", int(kind), name)
		}
		seen[kind.String()] = true
	}
	if got := issuertest.Bad(0).String(); got != "Bad(0)" {
		t.Errorf("the zero Bad is called %q", got)
	}
}
