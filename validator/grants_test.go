package validator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// way is how a token that holds certain claims is proven.
type way struct {
	name   string
	verify func() (*validator.Token, error)
}

// ways are all there are: a JWT, an answer and a signed answer, each by an issuer
// that change has changed, twice.
func ways(t *testing.T, change func(*validator.Issuer), e extra) (all []way) {
	t.Helper()
	iss := issuertest.NewInMemory(t)
	add := func(name string, v *validator.Validator, raw string) {
		for _, when := range []string{", first", ", again"} {
			all = append(all, way{name + when, func() (*validator.Token, error) { return v.Verify(t.Context(), raw) }})
		}
	}
	both, signed := bothOf(iss), signedAnswers(iss)
	change(&both)
	change(&signed)
	v := newMany(t, both)
	add("JWT", v, iss.Token(e.claims()))
	add("answer", v, iss.Opaque(e.claims()))

	other := issuertest.NewInMemory(t)
	signed.URL, signed.Introspection, signed.Keys = other.URL(), signedAnswers(other).Introspection, signedAnswers(other).Keys
	answer := goodAnswer(other, time.Now())
	inner := answer.payload["token_introspection"].(map[string]any)
	delete(inner, "scope")
	maps.Copy(inner, e)
	answering(other, mediaType, answer.sign(other))
	add("signed answer", newMany(t, signed), "opaque")
	return all
}

// grants wants these scopes and roles of a token that holds e, however it is proven.
func grants(t *testing.T, change func(*validator.Issuer), e extra, granted string, roles ...string) {
	t.Helper()
	for _, w := range ways(t, change, e) {
		token, err := w.verify()
		if err != nil {
			t.Errorf("%s: %v", w.name, err)
			continue
		}
		if diff := cmp.Diff(granted, token.Scopes().String()); diff != "" {
			t.Errorf("%s: scopes (-want +got):\n%s", w.name, diff)
		}
		if !slices.Equal(roles, token.Roles()) {
			t.Errorf("%s: roles %q, wanted %q", w.name, token.Roles(), roles)
		}
	}
}

// profile is a change that sets it.
func profile(p validator.Profile) func(*validator.Issuer) {
	return func(i *validator.Issuer) { i.Profile = p }
}

// memberNames, objectNames and commas are Grants for claims of the usual odd forms.
func memberNames(claim string) func(*validator.Token) (scopes, roles []string) {
	return func(t *validator.Token) (scopes, roles []string) {
		var object map[string]json.RawMessage
		if t.Claim(claim, &object) != nil {
			return nil, nil
		}
		names := slices.Sorted(maps.Keys(object))
		return names, names
	}
}

func objectNames(claim string) func(*validator.Token) (scopes, roles []string) {
	return func(t *validator.Token) (scopes, roles []string) {
		var objects []struct {
			Name string `json:"name"`
		}
		if t.Claim(claim, &objects) != nil {
			return nil, nil
		}
		for _, o := range objects {
			roles = append(roles, o.Name)
		}
		return roles, roles
	}
}

func commas(claim string) func(*validator.Token) (scopes, roles []string) {
	return func(t *validator.Token) (scopes, roles []string) {
		var list string
		if t.Claim(claim, &list) != nil {
			return nil, nil
		}
		return strings.Split(list, ","), nil
	}
}

// returning is Grants that goes by nothing.
func returning(scopes []string, roles ...string) func(*validator.Token) ([]string, []string) {
	return func(*validator.Token) ([]string, []string) { return scopes, roles }
}

func TestGrants(t *testing.T) {
	const zitadel = "urn:zitadel:iam:org:project:roles"
	for _, tc := range []struct {
		name    string
		profile validator.Profile
		extra   extra
		scopes  string
		roles   []string
	}{
		{"member names", validator.Profile{Grants: memberNames(zitadel)},
			extra{zitadel: text(`{"orders:read":{"223":"org.example.com"},"admin":{"223":"org.example.com"},"Data Steward":{}}`)},
			"admin orders:read", []string{"Data Steward", "admin", "orders:read"}},
		{"member names, and the claim is a list", validator.Profile{Grants: memberNames(zitadel)}, extra{zitadel: []string{"admin"}}, "", nil},
		{"member names, and the claim is absent", validator.Profile{Grants: memberNames(zitadel)}, extra{"scope": "a"}, "a", nil},
		{"objects with names", validator.Profile{Grants: objectNames("roles"), RoleClaims: []string{}},
			extra{"roles": text(`[{"name":"orders:read","owner":"built-in"},{"name":"admin"},{"owner":"x"}]`)}, "admin orders:read", []string{"orders:read", "admin", ""}},
		{"commas", validator.Profile{Grants: commas("permissions")}, extra{"permissions": "orders:read,orders:write, admin,,"}, "orders:read orders:write", nil},
		{"commas in scope", validator.Profile{Grants: commas("scope"), ScopeClaims: []string{}}, extra{"scope": "orders:read,orders:write"}, "orders:read orders:write", nil},
		{"beside what claims grant", validator.Profile{Grants: returning([]string{"c", "a"}, "s")}, extra{"scope": "a b", "roles": []string{"r"}}, "a b c", []string{"r", "s"}},
		{"nothing", validator.Profile{Grants: returning(nil)}, extra{"scope": "a", "roles": "r"}, "a", []string{"r"}},

		// The rules of form are those for claims.
		{"names that can be no scope", validator.Profile{Grants: returning([]string{"", " ", "a b", "é", `a"b`, `a\b`, "a\x00", "a\n", "\xff", "ok"})}, extra{}, "ok", nil},
		{"what is no text is no role", validator.Profile{Grants: returning(nil, "a b", "é", "", "\xff", "a\xc0")}, extra{}, "", []string{"a b", "é", ""}},

		{"it sees what the claims grant", validator.Profile{
			NameClaims: []string{"env"}, TenantClaim: "org", Implies: map[string][]string{"a": {"implied"}},
			Grants: func(t *validator.Token) ([]string, []string) {
				return []string{"saw:" + strings.ReplaceAll(t.Scopes().String(), " ", "+")}, []string{fmt.Sprintln(t.Roles(), t.Tenant(), t.Audience(), t.Check(scopes.All("b")) == nil)}
			},
		}, extra{"scope": "b a", "env": "prod", "org": "acme", "roles": "r"}, "a b implied prod saw:a+b+prod", []string{"r", "[r] acme [" + issuertest.Audience + "] true\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) { grants(t, profile(tc.profile), tc.extra, tc.scopes, tc.roles...) })
	}
}

// TestGrantsLeavesClaimsStrict: a claim that ScopeClaims names is refused in another
// form still, and a doubled one whatever else would read it.
func TestGrantsLeavesClaimsStrict(t *testing.T) {
	change := profile(validator.Profile{Grants: memberNames("scope"), Implies: map[string][]string{"admin": {"a"}}, WildcardSuffix: ":*"})
	for _, w := range ways(t, change, extra{"scope": text(`{"admin":{}}`)}) {
		_, err := w.verify()
		wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClaims)
		if err != nil && !strings.Contains(err.Error(), "Profile.Grants reads what is no string") {
			t.Errorf("%s: %v does not say what would read it", w.name, err)
		}
	}
	iss := issuertest.NewInMemory(t)
	issuer := bothOf(iss)
	change(&issuer)
	issuer.Profile.ScopeClaims = []string{}
	v := newMany(t, issuer)
	for n, twice := range []string{`{"scope":null,"scope":"admin"`, `{"scope":{"admin":{}},"scope":{}`, `{"scope":{"admin":{},"admin":{}}`, `{"scope":{"a":{},"\u0061":{}}`} {
		rest := "," + string(object(goodClaims(iss, time.Now())))[1:]
		header := object(map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA")})
		wantOutcome(t, "json")(v.Verify(t.Context(), iss.Sign(header, []byte(twice+rest), "EdDSA")))
		answering(iss, "application/json", twice+`,"active":true,"aud":"`+issuertest.Audience+`"}`)
		wantOutcome(t, "unavailable")(v.Verify(t.Context(), fmt.Sprint("opaque", n)))
	}
}

// TestGrantsIsAskedOnce for each proof, and not about a token that is refused before.
func TestGrantsIsAskedOnce(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	asked := 0
	issuer := bothOf(iss)
	issuer.AppOnly = true
	issuer.Profile = validator.Profile{
		App:    func(t *validator.Token) bool { return t.Scopes().Contains("a") }, // it sees them, too
		Grants: func(*validator.Token) ([]string, []string) { asked++; return []string{"a"}, []string{"r"} },
		Accept: func(t *validator.Token) error {
			if !slices.Equal(t.Roles(), []string{"r"}) {
				return errors.New("roles are not there, or there twice")
			}
			return nil
		},
	}
	v := newMany(t, issuer)
	for _, raw := range []string{iss.Token(issuertest.Claims{}), iss.Opaque(issuertest.Claims{})} {
		asked = 0
		for range 5 {
			token, err := v.Verify(t.Context(), raw)
			if err != nil || token.Check(scopes.All("a")) != nil || token.Check(scopes.All("b")) == nil || !slices.Equal(token.Roles(), []string{"r"}) {
				t.Fatalf("%v, %v", token, err)
			}
		}
		if asked != 1 {
			t.Errorf("asked %d times, wanted once", asked)
		}
	}
	asked = 0
	for kind := issuertest.Expired; kind <= issuertest.OtherKey; kind++ {
		if _, err := v.Verify(t.Context(), iss.Bad(kind, issuertest.Claims{})); err == nil {
			t.Errorf("bad token %v is let in", kind)
		}
	}
	if asked != 0 {
		t.Errorf("asked about %d tokens that are refused without it", asked)
	}
}

// TestGrantsTakesRoom: what it returns is counted among what the cache may hold.
func TestGrantsTakesRoom(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	long := strings.Repeat("r", 1000)
	for name, tc := range map[string]struct {
		profile validator.Profile
		asked   int
	}{
		"few":         {validator.Profile{Grants: returning([]string{"a"}, "b")}, 1},
		"many roles":  {validator.Profile{Grants: returning(nil, slices.Repeat([]string{long}, 400)...)}, 2},
		"many scopes": {validator.Profile{Grants: returning(strings.Fields(distinctScopes(60_000)))}, 2},
	} {
		asked := 0
		inner := tc.profile.Grants
		tc.profile.Grants = func(t *validator.Token) ([]string, []string) { asked++; return inner(t) }
		v := newValidator(t, keysOf(iss), func(c *validator.Config) { c.CacheEntries, c.Issuers[0].Profile = 16, tc.profile })
		raw := iss.Token(issuertest.Claims{})
		for range 2 {
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		}
		if asked != tc.asked {
			t.Errorf("%s: asked %d times, wanted %d", name, asked, tc.asked)
		}
	}
}

// TestGrantsCannotSpoilTheToken: what it gets is a copy, and so is what is kept of
// what it returns.
func TestGrantsCannotSpoilTheToken(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	buffer := []byte("ab") // which a text is a piece of, as those of some decoders are
	names, roles := []string{unsafe.String(&buffer[0], 1), unsafe.String(&buffer[1], 1)}, []string{unsafe.String(&buffer[1], 1)}
	spoil := func(token *validator.Token) {
		clear(token.Roles())
		clear(token.Audience())
		for _, name := range []string{"scope", "client_id", "iss", "roles"} {
			_ = token.Claim(name, new(spoiler))
		}
		_ = token.Claims(new(spoiler))
		*token = validator.Token{}
	}
	var kept []*validator.Token
	issuer := bothOf(iss)
	issuer.AppOnly = true
	issuer.Profile = validator.Profile{
		Grants: func(token *validator.Token) ([]string, []string) {
			kept = append(kept, token)
			other := *token
			spoil(&other)
			return names, roles
		},
		App:    func(token *validator.Token) bool { spoil(token); return true },
		Accept: func(token *validator.Token) error { spoil(token); return nil },
	}
	v := newMany(t, issuer)
	e := extra{"scope": "s", "roles": []string{"q"}, "client_id": "svc"}
	for _, raw := range []string{iss.Token(e.claims()), iss.Opaque(e.claims())} {
		kept = nil
		first, err := v.Verify(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		copy(buffer, "xy")
		names[0], names[1], roles[0] = "evil", "worse", "root"
		for _, token := range kept {
			spoil(token)
		}
		again, err := v.Verify(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []*validator.Token{first, again} {
			got := fmt.Sprintln(token.Issuer() == iss.URL(), token.ClientID(), token.Audience(), token.Scopes(), token.Roles())
			if want := fmt.Sprintln(true, "svc", []string{issuertest.Audience}, "a b s", []string{"q", "b"}); got != want {
				t.Errorf("%s, wanted %s", got, want)
			}
		}
		names[0], names[1], roles[0] = "a", "b", "b"
	}
}

// TestPanicsOfTheConfigurationRefuse the token that they are about, and no other; the
// client reads a constant sentence, and the operator which function, where, and why.
func TestPanicsOfTheConfigurationRefuse(t *testing.T) {
	const sentence = "This API cannot judge the claims of the access token."
	for name, tc := range map[string]struct {
		value func() any
		says  string
	}{
		"an index":                   {func() any { var none []string; return none[len(none)] }, "index out of range"},
		"a failed assertion":         {func() any { var x any = 1; return x.(string) }, "interface conversion"},
		"an error":                   {func() any { panic(errors.New("a bug")) }, `"a bug"`},
		"a text":                     {func() any { panic("line\nfeed" + strings.Repeat("x", 5000)) }, `line\nfeed`},
		"a value":                    {func() any { panic(struct{ Secret string }{"s3cret"}) }, "a struct { Secret string }"},
		"nil":                        {func() any { panic(nil) }, "panic called with nil"},
		"an error whose text panics": {func() any { panic((*badError)(nil)) }, "panicked: "},
	} {
		for field, set := range map[string]func(*validator.Issuer, func()){
			"Profile.Grants": func(i *validator.Issuer, f func()) {
				i.Profile.Grants = func(*validator.Token) ([]string, []string) { f(); return []string{"a"}, nil }
			},
			"Profile.Accept": func(i *validator.Issuer, f func()) {
				i.Profile.Accept = func(*validator.Token) error { f(); return nil }
			},
			"Issuer.Insist": func(i *validator.Issuer, f func()) {
				i.Insist(func(*validator.Token) error { f(); return nil })
			},
			"Profile.App": func(i *validator.Issuer, f func()) {
				i.AppOnly = true
				i.Profile.App = func(*validator.Token) bool { f(); return true }
			},
		} {
			t.Run(field+" panics with "+name, func(t *testing.T) {
				angry := true
				change := func(i *validator.Issuer) {
					set(i, func() {
						for angry {
							tc.value()
						}
					})
				}
				list := ways(t, change, extra{})
				for _, w := range list {
					_, err := w.verify()
					wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClaims)
					e, ok := err.(*validator.Error)
					if !ok {
						t.Fatalf("%s: let in", w.name)
					}
					checkError(t, e)
					if e.Description() != sentence {
						t.Errorf("%s: the client reads %q", w.name, e.Description())
					}
					for _, part := range []string{field + " panicked", tc.says, "grants_test.go:", field + " must take"} {
						if !strings.Contains(e.Error(), part) {
							t.Errorf("%s: %v does not say %s", w.name, e, part)
						}
					}
					if strings.Contains(e.Error(), "s3cret") {
						t.Errorf("%s: %v says what is in the value", w.name, e)
					}
				}
				angry = false // nothing of it is remembered
				for _, w := range list {
					if _, err := w.verify(); err != nil {
						t.Errorf("%s: %v", w.name, err)
					}
				}
			})
		}
	}
	_, err := validator.DangerouslyUnverified([]byte(`{}`), validator.Profile{Grants: func(*validator.Token) ([]string, []string) { panic("a bug") }})
	wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClaims)
}

type badError struct{ text string }

func (e *badError) Error() string { return e.text }

// TestNameClaims: what is one name is never split and never a wildcard.
func TestNameClaims(t *testing.T) {
	p := validator.Profile{
		NameClaims: []string{"environment", "/kubernetes.io/serviceaccount/name", "repositories"}, WildcardSuffix: ":*",
		Implies: map[string][]string{"prod": {"deploy"}, "repo:octo/x:*": {"deploy:*"}},
	}
	for _, tc := range []struct {
		name   string
		extra  extra
		scopes string
		passes string // names of rules
		fails  string
	}{
		{"a name", extra{"environment": "prod"}, "deploy prod", "prod deploy", "deploy:x"},
		{"a name with a space", extra{"environment": "prod east"}, "", "", "prod east deploy"},
		{"spaces around", extra{"environment": " prod "}, "", "", "prod deploy"},
		{"an array of names", extra{"repositories": []string{"octo/x", "octo/y z", "a:b"}}, "a:b octo/x", "octo/x a:b", "octo/y z"},
		{"colons", extra{"/x": "", "environment": "a:b:c"}, "a:b:c", "a:b:c", "a a:b a:b:c:d"},
		{"a pointer", extra{"kubernetes.io": text(`{"serviceaccount":{"name":"reports x"}}`)}, "", "", "reports x"},
		{"a name like a wildcard", extra{"environment": "orders:*"}, "orders:*", "orders:*", "orders:read"},
		{"a name like a wildcard, among scopes", extra{"environment": "orders:*", "scope": "stock:*"}, "orders:* stock:*", "stock:read orders:*", "orders:read"},
		{"a name that the API says more of", extra{"environment": "repo:octo/x:*"}, "deploy:* repo:octo/x:*", "deploy:now", "repo:octo/x:main"},
		{"the name beside it", extra{"environment": "repo:octo/x:main"}, "repo:octo/x:main", "", "deploy:now"},
	} {
		t.Run(tc.name, func(t *testing.T) { checked(t, profile(p), tc.extra, tc.scopes, tc.passes, tc.fails) })
	}
	for _, value := range []string{`7`, `{"prod":1}`, `["prod",1]`, `true`} {
		proven(t, profile(p), "claims", extra{"environment": text(value)})
	}
	subjects := profile(validator.Profile{ScopeClaims: []string{"sub", "scope"}, WildcardSuffix: ":*"})
	checked(t, subjects, extra{"sub": "repo:octo/x:environment:*", "scope": "a:*"}, "a:* repo:octo/x:environment:*", "a:b", "repo:octo/x:environment:prod")
	checked(t, subjects, extra{"sub": "repo:octo/x:environment:prod east"}, "", "", "repo:octo/x:environment:prod east")
	below := profile(validator.Profile{ScopeClaims: []string{"/workload/sub"}, WildcardSuffix: ":*"})
	checked(t, below, extra{"workload": map[string]any{"sub": "prod admin"}}, "", "", "prod admin")
	checked(t, below, extra{"workload": map[string]any{"sub": "orders:*"}}, "orders:*", "orders:*", "orders:read")
}

// checked wants scopes of a token that holds e, and these verdicts of rules.
func checked(t *testing.T, change func(*validator.Issuer), e extra, granted, passes, fails string) {
	t.Helper()
	for _, w := range ways(t, change, e) {
		token, err := w.verify()
		if err != nil || token.Scopes().String() != granted {
			t.Errorf("%s: %v, %v, wanted scopes %q", w.name, token, err, granted)
			continue
		}
		for _, name := range strings.Fields(passes) {
			if err := token.Check(scopes.All(name)); err != nil || !token.Scopes().Contains(name) {
				t.Errorf("%s: %q is not granted: %v", w.name, name, err)
			}
		}
		for _, name := range strings.Fields(fails) {
			err := token.Check(scopes.All(name))
			if e, ok := err.(*validator.Error); !ok || e.Check() != validator.CheckScope || e.Scope() != name || token.Scopes().Contains(name) {
				t.Errorf("%s: %q is granted, or asked for as something else: %v", w.name, name, err)
			}
		}
	}
}
