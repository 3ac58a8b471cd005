package validator_test

import (
	"encoding/base64"
	"errors"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestBrokenJWTsAreShownToNobody: a token that is a JWT by its header is one, or
// nothing, also where the only issuer is asked about everything; other texts with
// dots are opaque there.
func TestBrokenJWTsAreShownToNobody(t *testing.T) {
	for _, tc := range []struct {
		header, payload string
		check           validator.Check // empty: the issuer is asked
	}{
		{`{"alg":"RS256"}`, `{"iss":"x"}`, ""},
		{`{"alg":"RS256"}`, `null`, validator.CheckJSON},
		{`{"alg":"RS256"}`, `[]`, validator.CheckJSON},
		{`{"alg":"none"}`, `"a"`, validator.CheckJSON},
		{`{"alg":"none"}`, ``, validator.CheckJSON},
		{`{"alg":"RS256"}`, `{"a":1,"a":1}`, validator.CheckJSON},
		{`{"alg":"RS256"}`, "{\"a\":\"\xff\"}", validator.CheckJSON},
		{`{"alg":"RS256","alg":"RS256"}`, `{}`, validator.CheckJSON},
		{`{"alg":1}`, `null`, ""},
		{`{"typ":"JWT"}`, `null`, ""},
		{`{"alg":"RS256"`, `null`, validator.CheckJSON},
		{`null`, `null`, ""},
	} {
		iss := issuertest.NewInMemory(t)
		v := newValidator(t, answersOf(iss), func(*validator.Config) {})
		segment := base64.RawURLEncoding.EncodeToString
		raw := segment([]byte(tc.header)) + "." + segment([]byte(tc.payload)) + ".c2ln"
		_, err := v.Verify(t.Context(), raw)
		want, requests := tc.check, 0
		if want == "" {
			want, requests = validator.CheckActive, 1
		}
		if e, ok := errors.AsType[*validator.Error](err); !ok || e.Check() != want || !errors.Is(err, validator.ErrInvalidToken) {
			t.Errorf("%s.%s: %v, wanted %s", tc.header, tc.payload, err, want)
		}
		wantRequests(t, iss, issuertest.Introspection, requests)
	}
}
