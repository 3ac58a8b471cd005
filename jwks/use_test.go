package jwks_test

import (
	"context"
	"crypto/elliptic"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
)

// bundle is a trust domain's (SPIFFE Trust Domain and Bundle §4), with keys for other
// things among those for JWT-SVIDs.
func bundle() []byte {
	return set(
		ec("x509", elliptic.P256()).with("use", "x509-svid", "x5c", []string{"AAAA"}),
		ec("jwt", elliptic.P256()).with("use", "jwt-svid"),
		ec("another", elliptic.P384()).with("use", "jwt-svid", "alg", "ES384"),
		ec("case", elliptic.P256()).with("use", "JWT-SVID"),
		ec("sig", elliptic.P256()).with("use", "sig"),
		ec("enc", elliptic.P256()).with("use", "enc"),
		ec("empty", elliptic.P256()).with("use", ""),
		ec("absent", elliptic.P256()),
		ec("null", elliptic.P256()).with("use", nullUse),
		ec("operations", elliptic.P256()).with("use", "jwt-svid", "key_ops", []string{"sign"}),
	)
}

// nullUse is written as null; with takes nil for no member.
var nullUse *string

// served lists the keys that a set serves, out of those of bundle.
func served(t *testing.T, s *jwks.KeySet) (kids []string) {
	t.Helper()
	for _, kid := range []string{"x509", "jwt", "another", "case", "sig", "enc", "empty", "absent", "null", "operations"} {
		for _, alg := range []string{"ES256", "ES384"} {
			_, err := s.Lookup(t.Context(), kid, true, alg)
			if err == nil {
				kids = append(kids, kid)
			} else if !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Fatal(err)
			}
		}
	}
	return kids
}

// Keys serve if they are for what is asked of them, wherever the set comes from.
func TestUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bundle.json")
	if err := os.WriteFile(file, bundle(), 0o600); err != nil {
		t.Fatal(err)
	}
	fetch := func(context.Context) ([]byte, error) { return bundle(), nil }
	for name, source := range map[string]jwks.Config{"a set": {Set: bundle()}, "a file": {File: file}, "a function": {Fetch: fetch}} {
		for use, want := range map[string][]string{
			"": {"sig", "absent", "null"}, "sig": {"sig", "absent", "null"}, "jwt-svid": {"jwt", "another"}, "JWT-SVID": {"case"},
		} {
			t.Run(name+" for "+use, func(t *testing.T) {
				config := source
				config.Use = use
				s, err := jwks.New(config)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if diff := cmp.Diff(want, served(t, s)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// Whoever gives a key in PEM says what it is for.
func TestUseOfPEM(t *testing.T) {
	s, err := jwks.New(jwks.Config{Set: []byte(publicPEM(generated().Public())), Use: "jwt-svid"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if keys, err := s.Candidates(t.Context(), jwks.Hint{KeyID: "any", HasKeyID: true, Algorithm: "RS256"}); err != nil || len(keys) != 1 {
		t.Errorf("got %d keys, %v", len(keys), err)
	}
}

// A key that is for something else is nobody's mistake.
func TestAnotherUseIsNoFault(t *testing.T) {
	_, err := jwks.New(jwks.Config{Set: set(ed("a").with("use", "x509-svid")), Use: "jwt-svid"})
	if !errors.Is(err, jwks.ErrNotForUs) {
		t.Errorf("got %v", err)
	}
}
