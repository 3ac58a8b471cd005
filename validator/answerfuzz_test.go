package validator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/internal/trials/hostile"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
)

// judgeAnswer is judge for the members of an introspection answer (RFC 7662 §2.2), of
// which none but active and aud need be there. endless is Config.NoExpiry.
func (o *oracle) judgeAnswer(body []byte, endless []string) (v verdict, expires bool, err error) {
	answer, err := oracleObject(body)
	if err != nil {
		return v, false, err
	}
	if answer["active"] != true {
		return v, false, errors.New("active")
	}
	as := maps.Clone(answer) // what a JWT would have to say
	if answer["iss"] == nil {
		as["iss"] = o.issuer
	}
	exp, there := answer["exp"]
	spelt := ""
	switch value := exp.(type) {
	case nil:
		spelt = "null"
	case json.Number:
		spelt = value.String()
	}
	expires = there && !slices.Contains(endless, spelt)
	if !expires {
		as["exp"] = json.Number(fmt.Sprint(o.now.Add(time.Hour).Unix()))
	}
	v, err = o.judgeClaims(as)
	return v, expires, err
}

// FuzzAnswerClaims has a server answer with any body about an opaque token. Each name is
// in the seeds with null as well, which must widen nothing: an answer is read by rules
// of its own about what may be left out, and null may be taken for that.
func FuzzAnswerClaims(f *testing.F) {
	const good = `{"active":true,"iss":"https://id.example.com","aud":"api","exp":1781528400,"sub":"svc","scope":"orders:read"}`
	f.Add([]byte(good))
	for _, name := range []string{
		"active", "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "roles", "client_id", "azp", "appid", "cid", "cnf", "act", "authorization_details", "token_use", "username", "token_type",
	} {
		f.Add([]byte(`{"active":true,"aud":"api","sub":"svc","` + name + `":null}`)) // twice, for some
		var members map[string]any
		if err := json.Unmarshal([]byte(good), &members); err != nil {
			f.Fatal(err)
		}
		for _, value := range []any{nil, "", 0, -1, []any{nil}, map[string]any{}} {
			members[name] = value
			f.Add(object(members))
		}
		delete(members, name)
		f.Add(object(members))
	}
	for _, server := range testdata.Recorded() {
		for _, token := range server.Tokens {
			f.Add([]byte(token.Introspection))
		}
	}
	o := &oracle{issuer: "https://id.example.com", audience: "api", now: hostile.Now(), skew: hostile.ClockSkew}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, endless := range [][]string{nil, {"0"}, {"-1"}, {"null"}} {
			want, expires, refusal := o.judgeAnswer(body, endless)
			token, err := answered(t, o, string(body), endless)
			switch {
			case err != nil && refusal == nil && len(body) < 8<<10 && !fraction.Match(body):
				t.Fatalf("NoExpiry %q: refused (%v), and the oracle does not", endless, err)
			case err != nil:
				continue
			case refusal != nil:
				t.Fatalf("NoExpiry %q: let in, and the oracle says: %v", endless, refusal)
			case token.Expiry().IsZero() == expires:
				t.Fatalf("NoExpiry %q: good until %v, and the oracle says that it expires: %v", endless, token.Expiry(), expires)
			}
			got := verdict{want.subject, token.Audience(), slices.Collect(token.Scopes().All()), want.wild, token.Roles()}
			if want.subject != nil {
				got.subject = token.Subject()
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(verdict{})); diff != "" {
				t.Fatalf("NoExpiry %q: read differently: %s", endless, diff)
			}
		}
	})
}

// fraction is of numbers of which two readers may make times that differ by a little.
var fraction = regexp.MustCompile(`[0-9][.eE]|[0-9]{18}`)

// answered is what a validator says of an opaque token, of which its issuer says body.
func answered(t *testing.T, o *oracle, body string, endless []string) (*validator.Token, error) {
	t.Helper()
	v, err := validator.New(validator.Config{
		Issuers:   []validator.Issuer{saysOf(body, func(i *validator.Issuer) { i.Introspection.NoExpiry = endless })},
		ClockSkew: o.skew, Now: func() time.Time { return o.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	return v.Verify(t.Context(), "opaque-token")
}
