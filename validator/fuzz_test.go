package validator_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/m2mguard/m2mguard/internal/trials/hostile"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// The corpora under testdata/fuzz are for this issuer, for issuertest.Audience,
// for the time hostile.Now and for the public halves of these test keys.
const fuzzIssuer = "https://issuer.example.test"

var fuzzKeys = []string{"ed25519-a", "p256-a", "rsa-2048-a"}

// widened is a profile in which everything is set that has a token grant more, or
// less, than its plain claims. The oracle knows what it means.
var widened = validator.Profile{
	Match:      map[string][]string{"sub": {"svc", "another svc"}},
	NameClaims: []string{"workload", "/k8s/account"},
	Grants: func(t *validator.Token) (scopes, roles []string) {
		var object map[string]json.RawMessage
		if t.Claim("grants", &object) == nil {
			scopes = slices.Collect(maps.Keys(object))
		}
		var list string
		if t.Claim("granted", &list) == nil {
			roles = strings.Split(list, ",")
		}
		return append(scopes, roles...), roles
	},
	Implies: map[string][]string{
		"admin": {"orders:*", "audit:read"}, "audit:read": {"audit:list"}, "prod": {"deploy:*"}, "orders:*": {"stock:read"},
	},
	WildcardSuffix: ":*",
	Accept: func(t *validator.Token) error {
		refused := false
		if t.Claim("refused", &refused) == nil && refused {
			return errors.New("refused")
		}
		return nil
	},
}

// fuzzPair is a validator and the oracle with the same configuration. A fixed
// key set keeps both off the network.
func fuzzPair(f *testing.F, profile validator.Profile) (*validator.Validator, *oracle) {
	f.Helper()
	o := &oracle{
		widened: profile.Grants != nil,
		issuer:  fuzzIssuer, audience: issuertest.Audience, now: hostile.Now(), skew: hostile.ClockSkew,
		keys: make(map[string]oracleKey),
	}
	var set []string
	for _, name := range fuzzKeys {
		public := testdata.PrivateKey(name).Public()
		o.keys[name] = oracleKey{public, algsOf(public)}
		set = append(set, string(testdata.PublicKey(name)))
	}
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{
			URL: fuzzIssuer, Audience: []string{issuertest.Audience},
			Keys: &jwks.Config{Set: []byte(`{"keys":[` + strings.Join(set, ",") + `]}`)}, Profile: profile,
		}},
		CacheEntries: 64,
		ClockSkew:    o.skew,
		Now:          func() time.Time { return o.now },
		Observer:     observe.Observer{Event: func(context.Context, *observe.Event) {}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(v.Close)
	return v, o
}

// compare verifies a token twice, so that the cache is asked too, and holds the
// answer against the oracle's, and an explanation against it.
func compare(t *testing.T, v *validator.Validator, o *oracle, token string) {
	t.Helper()
	want, refusal := o.judge(token)
	for _, when := range []string{"first", "again"} {
		tok, err := v.Verify(t.Context(), token)
		if err != nil {
			e, ok := errors.AsType[*validator.Error](err)
			if !ok || errors.Is(err, validator.ErrUnavailable) || e.Description() == "" {
				t.Fatalf("%s: no answer about the token: %v", when, err)
			}
			continue
		}
		if refusal != nil {
			t.Fatalf("%s: let in, and the oracle says: %v", when, refusal)
		}
		got := verdict{want.subject, tok.Audience(), slices.Collect(tok.Scopes().All()), want.wild, tok.Roles()}
		if want.subject != nil {
			got.subject = tok.Subject()
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(verdict{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s: read differently: %s", when, diff)
		}
		for _, name := range near(want.scopes) {
			if passes := tok.Check(scopes.All(name)) == nil; passes != want.grants(name) {
				t.Fatalf("%s: a rule that asks for %q lets it in: %v, the oracle says %v", when, name, passes, !passes)
			}
		}
	}
	r := &validator.Request{Token: token}
	e := v.Explain(t.Context(), r, validator.ExplainOptions{})
	if check := checkOf(t, v, r, validator.ExplainOptions{}); failedAt(e) != check || e.Accepted != (check == "") || !e.Proven && e.Accepted {
		t.Fatalf("VerifyRequest says %q, and an explanation\n%s", check, e)
	}
}

// near are names that rules may ask for, about those that a token grants.
func near(granted []string) []string {
	names := []string{"admin", "orders", "orders:read", "orders:items:read", "audit:list", "stock:read", "deploy:x", "*"}
	for _, name := range granted {
		head := strings.TrimSuffix(name, "*")
		names = append(names, name, head+"x", head+"x:y", strings.TrimSuffix(head, ":"), strings.TrimSuffix(head, ":")+"x:y", strings.ToUpper(name), name+":x")
	}
	return slices.DeleteFunc(names, func(name string) bool { return !scopes.Valid(name) })
}

// edSigned is a token of exactly this header and payload, well signed.
func edSigned(header, payload []byte) string {
	segment := base64.RawURLEncoding.EncodeToString
	input := segment(header) + "." + segment(payload)
	return input + "." + segment(ed25519.Sign(fuzzSigner(), []byte(input)))
}

var fuzzSigner = sync.OnceValue(func() ed25519.PrivateKey {
	return testdata.PrivateKey("ed25519-a").(ed25519.PrivateKey)
})

const (
	fuzzHeader  = `{"alg":"EdDSA","kid":"ed25519-a","typ":"at+jwt"}`
	fuzzPayload = `{"iss":"https://issuer.example.test","aud":"https://api.example.test","exp":1781528400,"sub":"svc","scope":"orders:read"}`
)

// FuzzHeader signs any header, over claims that are good.
func FuzzHeader(f *testing.F) {
	v, o := fuzzPair(f, validator.Profile{})
	f.Add([]byte(fuzzHeader))
	f.Fuzz(func(t *testing.T, header []byte) { compare(t, v, o, edSigned(header, []byte(fuzzPayload))) })
}

// FuzzClaims signs any claims, under a header that is good. Two issuers read them: a
// plain one, and one that means more by them.
func FuzzClaims(f *testing.F) {
	v, o := fuzzPair(f, validator.Profile{})
	wideV, wideO := fuzzPair(f, widened)
	f.Add([]byte(fuzzPayload))
	for _, more := range []string{
		`"scope":"admin"`, `"scope":"orders:* stock:x a:b:*"`, `"scope":"* *:* :* ord* orders:*:* orders:**"`, `"scp":["Admin","admin x","audit:read"]`,
		`"workload":"prod east","scope":"a"`, `"workload":"prod"`, `"workload":"orders:*"`, `"workload":["admin","x:*"],"scope":"x:*"`, `"workload":null`,
		`"k8s":{"account":"reports"}`, `"k8s":{"account":7}`, `"k8s":{"account":null}`, `"k8s":["account"]`,
		`"grants":{"orders:read":{"1":"x"},"a b":{},"deploy:*":null}`, `"grants":{"a":1,"a":2}`, `"grants":["a"]`, `"granted":"a,b c,,\u00e9,orders:*"`, `"granted":7`, `"granted":","`,
		`"refused":true`, `"refused":"true"`, `"roles":["r",1],"granted":"s"`, `"roles":"r"`, `"scope":null,"scope":"admin"`, `"scope":"a","grants":null`,
	} {
		f.Add([]byte(`{"iss":"https://issuer.example.test","aud":"https://api.example.test","exp":1781528400,"sub":"svc",` + more + `}`))
	}
	f.Add([]byte(strings.Replace(fuzzPayload, `"svc"`, `"svc2"`, 1)))
	f.Add([]byte(strings.Replace(fuzzPayload, `"svc"`, `"another svc"`, 1)))
	f.Fuzz(func(t *testing.T, claims []byte) {
		token := edSigned([]byte(fuzzHeader), claims)
		compare(t, v, o, token)
		compare(t, wideV, wideO, token)
	})
}

// FuzzVerify takes any text for a token.
func FuzzVerify(f *testing.F) {
	v, o := fuzzPair(f, validator.Profile{})
	f.Add(edSigned([]byte(fuzzHeader), []byte(fuzzPayload)))
	f.Fuzz(func(t *testing.T, token string) { compare(t, v, o, token) })
}

// TestOracle holds the oracle against the catalogue: a fuzz target is worth as
// much as its oracle is.
func TestOracle(t *testing.T) {
	c := hostile.New(t)
	o := &oracle{
		issuer: c.Issuer.URL(), audience: issuertest.Audience, now: hostile.Now(), skew: hostile.ClockSkew,
		keys: make(map[string]oracleKey),
	}
	for _, name := range fuzzKeys {
		public := testdata.PrivateKey(name).Public()
		o.keys[name] = oracleKey{public, algsOf(public)}
	}
	o.keys["twins"] = oracleKey{testdata.PrivateKey("rsa-2048-c").Public(), []string{"RS256"}}
	for _, tc := range c.Cases {
		if tc.Config != hostile.Plain || tc.Want == "size" {
			continue // the oracle knows no other configuration and no size
		}
		_, err := o.judge(tc.Token)
		if good := tc.Want == "" || tc.Want == "scope"; good != (err == nil) {
			t.Errorf("%s, wanted %q: the oracle says %v. Fuzzing holds Verify against oracle_test.go, so what refuses a token without any setting stands there, too, written a second time", tc.Name, tc.Want, err)
		}
	}
}
