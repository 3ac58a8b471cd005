package validator_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestMutatedTokensNeverHit changes a token that is in the cache, one byte at a
// time and in every segment. No mutant may be taken for the token, nor verify.
func TestMutatedTokensNeverHit(t *testing.T) {
	const mutations = 10_000
	iss := issuertest.New(t)
	v := newJWT(t, iss)
	good := iss.Token(issuertest.Claims{Algorithm: "EdDSA", Scope: "orders:read"})
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	tried := 0
	try := func(mutant string) {
		tried++
		if tok, err := v.Verify(t.Context(), mutant); err == nil {
			t.Errorf("let in as %v: %q for %q", tok, mutant, good)
		} else if errors.Is(err, validator.ErrUnavailable) {
			t.Errorf("no answer for %q: %v", mutant, err)
		}
	}

	// Removed, doubled and swapped with its neighbour.
	for i := range len(good) {
		try(good[:i] + good[i+1:])
		try(good[:i] + good[i:i+1] + good[i:])
		if i > 0 && good[i-1] != good[i] {
			try(good[:i-1] + good[i:i+1] + good[i-1:i] + good[i+1:])
		}
	}
	// Replaced by another character of base64url, so that most mutants get as far
	// as a mutant can; and by what differs in one bit.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	mutant := []byte(good)
	for step := 1; tried < mutations; step++ {
		for i := range mutant {
			was := mutant[i]
			if at := strings.IndexByte(alphabet, was); at >= 0 {
				mutant[i] = alphabet[(at+step)%len(alphabet)]
			} else {
				mutant[i] = alphabet[step]
			}
			try(string(mutant))
			if step <= 8 {
				mutant[i] = was ^ 1<<(step-1)
				try(string(mutant))
			}
			mutant[i] = was
		}
	}

	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("the token itself after %d mutations: %v", tried, err)
	}
}
