package validator_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestNoExpiry: what a server writes for no exp counts as none where that is said,
// and in no JWT.
func TestNoExpiry(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	all := []string{"0", "-1", "null"}
	for _, tc := range []struct {
		exp  string
		list []string
		want string
	}{
		{"0", nil, "exp"}, {"-1", nil, "unavailable"}, {"null", nil, "unavailable"},
		{"0", all, "ok"}, {"-1", all, "ok"}, {"null", all, "ok"},
		{"0", []string{"0"}, "ok"}, {"-1", []string{"0", "null"}, "unavailable"}, {"null", []string{"0", "-1"}, "unavailable"}, {"0", []string{"-1", "null"}, "exp"},
		{"0.0", all, "exp"}, {"-0", all, "unavailable"}, {"0e0", all, "exp"}, {"1", all, "exp"}, {"-2", all, "unavailable"}, {"-1.0", all, "unavailable"},
		{`"0"`, all, "unavailable"}, {`"-1"`, all, "unavailable"}, {`"null"`, all, "unavailable"}, {"false", all, "unavailable"}, {"[]", all, "unavailable"}, {"1000000000", all, "exp"},
	} {
		iss.SetFault(issuertest.Introspection, issuertest.Respond(200, nil, `{"active":true,"aud":"`+issuertest.Audience+`","exp":`+tc.exp+`}`))
		c := bothOf(iss)
		c.Introspection.NoExpiry = tc.list
		v := newMany(t, c)
		for range 2 {
			token, err := v.Verify(t.Context(), "opaque")
			if got := outcome(token, err); got != tc.want {
				t.Errorf("%s with %q: %s (%v), wanted %s", tc.exp, tc.list, got, err, tc.want)
			}
			if err == nil && !token.Expiry().IsZero() {
				t.Errorf("%s: the token expires %v", tc.exp, token.Expiry())
			}
		}
		raw := with(iss, nil)
		wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		if tc.want == "ok" {
			wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), raw, 0)) // the JWT's own exp counts
		}
	}
	c := bothOf(iss)
	c.Introspection.NoExpiry = all
	v := newMany(t, c)
	for _, exp := range []string{"0", "-1", "null"} {
		head, claims := object(map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA")}), strings.TrimSuffix(string(object(map[string]any{"iss": iss.URL(), "aud": issuertest.Audience})), "}")
		wantOutcome(t, "exp")(v.Verify(t.Context(), iss.Sign(head, []byte(claims+`,"exp":`+exp+`}`), "EdDSA")))
	}
}
