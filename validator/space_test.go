package validator_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestSpaceAroundClaims: white space before an object or after it is JSON's (RFC
// 8259 §2), and changes nothing that is looked for in it.
func TestSpaceAroundClaims(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	choosy, asked := keysOf(iss), newOpaque(t, iss)
	choosy.Profile = validator.Profile{Require: []string{"gty"}, Match: map[string][]string{"tid": {"acme"}}, ScopeClaims: []string{"/grants/api"}}
	v := newMany(t, choosy)
	claims := goodClaims(iss, time.Now())
	claims["gty"], claims["tid"], claims["grants"] = "x", "acme", map[string]any{"api": "orders:read"}
	for _, space := range []string{"", " ", "\n\t\r "} {
		raw := iss.Sign(object(map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA")}), []byte(space+string(object(claims))+space), "EdDSA")
		token, err := v.Verify(t.Context(), raw)
		if err != nil || token.Scopes().String() != "orders:read" {
			t.Errorf("after %q: %v, scopes %v", space, err, token)
		}
		iss.SetFault(issuertest.Introspection, issuertest.Respond(200, http.Header{}, space+`{"active":true,"token_type":"DPoP","aud":"`+issuertest.Audience+`"}`))
		wantOutcome(t, "cnf")(asked.Verify(t.Context(), "opaque"))
		iss.ClearFaults()
	}
}
