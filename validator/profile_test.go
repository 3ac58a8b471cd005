package validator_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// text is JSON to be put into a token as it stands.
func text(s string) json.RawMessage { return json.RawMessage(s) }

// TestMatch holds one wanted value against many that a token may have.
func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		wanted string
		ok     []string // JSON
		claims []string
	}{
		{
			wanted: "access",
			ok:     []string{`"access"`, `"\u0061ccess"`},
			claims: []string{`"id"`, `"Access"`, `"access "`, `""`, `["access"]`, `{"access":"access"}`, `null`, `true`, `1`},
		},
		{
			wanted: "true",
			ok:     []string{`true`, `"true"`},
			claims: []string{`false`, `1`, `"True"`, `null`, `[true]`, `{}`},
		},
		{
			wanted: "2",
			ok:     []string{`2`, `"2"`},
			claims: []string{`2.0`, `20`, `-2`, `2e0`, `[2]`, `"2 "`, `null`},
		},
		{
			wanted: "null",
			ok:     []string{`"null"`},
			claims: []string{`null`, `false`, `0`, `""`},
		},
		{
			wanted: "",
			ok:     []string{`""`},
			claims: []string{`null`, `0`, `false`, `[]`, `{}`, `" "`},
		},
		{
			wanted: `["a"]`,
			ok:     []string{`"[\"a\"]"`},
			claims: []string{`["a"]`},
		},
	} {
		match := func(i *validator.Issuer) {
			i.Profile.Match = map[string][]string{"use": {tc.wanted}}
			i.Profile.MatchAnswer = i.Profile.Match
		}
		for _, value := range tc.ok {
			t.Run(tc.wanted+" is "+value, func(t *testing.T) { proven(t, match, "ok", extra{"use": text(value)}) })
		}
		for _, value := range tc.claims {
			t.Run(tc.wanted+" is not "+value, func(t *testing.T) { proven(t, match, "claims", extra{"use": text(value)}) })
		}
		t.Run(tc.wanted+" is not nothing", func(t *testing.T) { proven(t, match, "claims", extra{}) })
	}
}

// TestMatchOneOf holds a claim against a list.
func TestMatchOneOf(t *testing.T) {
	match := func(i *validator.Issuer) {
		i.Profile.Match = map[string][]string{"owner": {"65", "74", "octo org"}, "/deep/tier": {"gold"}}
		i.Profile.MatchAnswer = i.Profile.Match
	}
	gold := text(`{"tier":"gold"}`)
	for _, value := range []string{`"65"`, `65`, `"74"`, `"octo org"`, `"octo\u0020org"`} {
		t.Run(value, func(t *testing.T) { proven(t, match, "ok", extra{"owner": text(value), "deep": gold}) })
	}
	for _, value := range []string{`"6"`, `"6574"`, `"65 74"`, `"65,74"`, `"octo"`, `"org"`, `"Octo org"`, `"octo org "`, `["65"]`, `["65","74"]`, `{"65":"74"}`, `""`, `null`, `99`, `"gold"`} {
		t.Run("not "+value, func(t *testing.T) { proven(t, match, "claims", extra{"owner": text(value), "deep": gold}) })
	}
	proven(t, match, "claims", extra{"owner": "65"})
	proven(t, match, "claims", extra{"deep": gold})

	iss := issuertest.NewInMemory(t)
	issuer := keysOf(iss)
	match(&issuer)
	_, err := newMany(t, issuer).Verify(t.Context(), iss.Token(extra{"owner": "99", "deep": gold}.claims()))
	if err == nil || !strings.Contains(err.Error(), `claim owner has another value: got ["99"], wanted ["65", "74", "octo org"]`) {
		t.Errorf("%v does not say what was found and wanted", err)
	}
}

// TestAccept: a check of the API's own, with a sentence for the operator that no
// client reads.
func TestAccept(t *testing.T) {
	refusal := errors.New("owner is none of ours\nlevel=ERROR msg=\"forged\"" + strings.Repeat(" and so on", 500))
	p := validator.Profile{Accept: func(t *validator.Token) error {
		var owner string
		if err := t.Claim("owner", &owner); err != nil {
			return err
		}
		if owner != "65" && !t.Scopes().Contains("admin") {
			return refusal
		}
		return nil
	}, Implies: map[string][]string{"root": {"admin"}}}
	for _, tc := range []struct {
		name  string
		extra extra
		want  string // of the operator's words; empty: let in
	}{
		{"ours", extra{"owner": "65"}, ""},
		{"by what it grants", extra{"owner": "99", "scope": "root"}, ""},
		{"a stranger", extra{"owner": "99", "scope": "a"}, `owner is none of ours\nlevel=ERROR msg=\"forged\"`},
		{"no owner", extra{}, `no such claim: \"owner\"`},
		{"an owner of another form", extra{"owner": 65}, `claim \"owner\" does not fit`},
	} {
		for _, w := range ways(t, profile(p), tc.extra) {
			_, err := w.verify()
			if tc.want == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", tc.name, w.name, err)
				}
				continue
			}
			wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClaims)
			e, ok := err.(*validator.Error)
			if !ok {
				t.Errorf("%s, %s: %v", tc.name, w.name, err)
				continue
			}
			checkError(t, e)
			if !strings.Contains(e.Error(), "Profile.Accept refuses it: ") || !strings.Contains(e.Error(), tc.want) {
				t.Errorf("%s, %s: %v does not say %s", tc.name, w.name, e, tc.want)
			}
			if e.Description() != "The access token does not meet a condition of this API." {
				t.Errorf("%s, %s: the client reads %q", tc.name, w.name, e.Description())
			}
			if errors.Is(e, refusal) != strings.HasPrefix(tc.want, "owner is") {
				t.Errorf("%s, %s: %v does not match its cause", tc.name, w.name, e)
			}
		}
	}
	// Whatever it returns says nothing of the issuer or of other tokens.
	outage := profile(validator.Profile{Accept: func(*validator.Token) error { return validator.NewError(validator.CheckUnavailable) }})
	proven(t, outage, "claims", extra{})
}

// TestInsist: each check must be passed, beside Accept, whatever the Profile says
// afterwards; a copy of the Issuer from before is as it was.
func TestInsist(t *testing.T) {
	tier := func(wanted string) func(*validator.Token) error {
		return func(t *validator.Token) error {
			var tier []string
			if err := t.Claim("tier", &tier); err != nil || !slices.Contains(tier, wanted) {
				return errors.New("it is not of " + wanted)
			}
			return nil
		}
	}
	var before validator.Issuer
	change := func(i *validator.Issuer) {
		i.Insist(tier("gold"))
		before = *i
		i.Insist(tier("silver"))
		i.Profile, i.AppOnly = validator.Profile{Accept: tier("lead")}, false
		other := before
		other.Insist(tier("nobody's"))
	}
	for _, tc := range []struct {
		tier []string
		want string // of the error; empty: let in
	}{
		{[]string{"gold", "silver", "lead"}, ""},
		{[]string{"silver", "lead"}, `Issuer.Insist refuses it: "it is not of gold"`},
		{[]string{"gold", "lead"}, `Issuer.Insist refuses it: "it is not of silver"`},
		{[]string{"gold", "silver"}, `Profile.Accept refuses it: "it is not of lead"`},
	} {
		for _, w := range ways(t, change, extra{"tier": tc.tier}) {
			switch _, err := w.verify(); {
			case tc.want == "" && err != nil:
				t.Errorf("%v, %s: %v", tc.tier, w.name, err)
			case tc.want != "":
				wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClaims)
				if err != nil && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%v, %s: %v does not say %s", tc.tier, w.name, err, tc.want)
				}
			}
		}
	}
	for _, w := range ways(t, func(i *validator.Issuer) { i.Insist(nil) }, extra{}) {
		_, err := w.verify()
		wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClaims)
	}
}

// TestAcceptComesLast and is asked once for each proof.
func TestAcceptComesLast(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	asked := 0
	issuer := bothOf(iss)
	issuer.Clients, issuer.AppOnly = []string{"svc"}, true
	issuer.Profile = validator.Profile{
		Match: map[string][]string{"tier": {"gold"}}, MatchAnswer: map[string][]string{"tier": {"gold"}}, App: validator.SubjectIsClient,
		Accept: func(*validator.Token) error { asked++; return nil },
	}
	v := newMany(t, issuer)
	good := extra{"client_id": "svc", "sub": "svc", "tier": "gold"}
	with := func(name string, value any) extra {
		e := maps.Clone(good)
		e[name] = value
		return e
	}
	for _, tc := range []struct {
		extra extra
		want  string
		asked int
	}{
		{good, "ok", 1}, {with("tier", "lead"), "claims", 0}, {with("client_id", "x"), "client", 0}, {with("sub", "alice"), "app", 0},
		{with("scope", 7), "claims", 0}, {with("aud", "x"), "aud", 0}, {with("cnf", "x"), "cnf", 0},
	} {
		for _, raw := range []string{iss.Token(tc.extra.claims()), iss.Opaque(tc.extra.claims())} {
			asked = 0
			for range 3 {
				wantOutcome(t, tc.want)(v.Verify(t.Context(), raw))
			}
			if asked != tc.asked {
				t.Errorf("%v: asked %d times, wanted %d", tc.extra, asked, tc.asked)
			}
		}
	}
}

// TestMatchAndMatchAnswer concern different things.
func TestMatchAndMatchAnswer(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	issuer := bothOf(iss)
	issuer.Profile.Match = map[string][]string{"use": {"jwt"}, "/deep/use": {"jwt"}}
	issuer.Profile.MatchAnswer = map[string][]string{"use": {"answer"}, "token_type": {"Bearer"}}
	v := newMany(t, issuer)
	jwt := extra{"use": "jwt", "deep": map[string]any{"use": "jwt"}}
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(jwt.claims())))
	wantOutcome(t, "claims")(v.Verify(t.Context(), iss.Opaque(jwt.claims())))
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Opaque(extra{"use": "answer"}.claims())))
	_, err := v.Verify(t.Context(), iss.Token(extra{"use": "jwt", "deep": "jwt"}.claims()))
	wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClaims)
	if !strings.Contains(err.Error(), "/deep/use") {
		t.Errorf("%v does not name the claim", err)
	}
}

// TestRequirePointer asks for nested claims.
func TestRequirePointer(t *testing.T) {
	require := func(i *validator.Issuer) {
		i.Profile.Require = []string{"/a/b"}
		i.Introspection = nil
	}
	for value, want := range map[string]string{
		`{"b":1}`: "ok", `{"b":false}`: "ok", `{"b":{}}`: "ok",
		`{"b":null}`: "claims", `{"c":1}`: "claims", `[]`: "claims", `"b"`: "claims", `null`: "claims",
	} {
		t.Run(value, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			issuer := keysOf(iss)
			require(&issuer)
			wantOutcome(t, want)(newMany(t, issuer).Verify(t.Context(), iss.Token(extra{"a": text(value)}.claims())))
		})
	}
}

// deep is an object nested n levels deep around value.
func deep(n int, value string) json.RawMessage {
	return text(strings.Repeat(`{"a":`, n) + value + strings.Repeat("}", n))
}

// TestClaimPointers reads scopes through JSON Pointers (RFC 6901), and through
// names that only look like them.
func TestClaimPointers(t *testing.T) {
	for _, tc := range []struct {
		name, claim string
		extra       extra
		want        string // scopes, or the check that fails
	}{
		{"a name", "grants", extra{"grants": "a b"}, "a b"},
		{"a URL as a name", "https://id.example.com/roles", extra{"https://id.example.com/roles": []string{"a"}}, "a"},
		{"a name with tildes", "a~1b", extra{"a~1b": "a", "a/b": "b"}, "a"},
		{"a pointer to a top-level claim", "/grants", extra{"grants": "a"}, "a"},
		{"a pointer to the scope claim", "/scope", extra{"scope": "a"}, "a"},
		{"two levels", "/realm_access/roles", extra{"realm_access": text(`{"roles":["a","b"]}`)}, "a b"},
		{"three levels", "/resource_access/api/roles", extra{"resource_access": text(`{"api":{"roles":["a"]},"other":{"roles":["b"]}}`)}, "a"},
		{"an escaped slash", "/https:~1~1id.example.com~1roles/x", extra{"https://id.example.com/roles": text(`{"x":"a"}`)}, "a"},
		{"an escaped tilde", "/a~0b", extra{"a~b": "a"}, "a"},
		{"an escaped escape", "/a~01b", extra{"a~1b": "a", "a/b": "b"}, "a"},
		{"a doubly escaped tilde", "/~00", extra{"~0": "a", "~": "b"}, "a"},
		{"an empty name", "/a//b", extra{"a": text(`{"":{"b":"a"}}`)}, "a"},
		{"the empty name alone", "/", extra{"": "a"}, "a"},
		{"an escaped spelling in the token", "/a/b", extra{"a": text(`{"\u0062":"a"}`)}, "a"},
		{"a sibling of the same name", "/a/b", extra{"b": "evil", "a": text(`{"c":{"b":"evil"},"b":"a"}`)}, "a"},
		{"case counts", "/a/B", extra{"a": text(`{"b":"evil"}`)}, ""},
		{"nothing there", "/a/b", extra{}, ""},
		{"nothing at the end", "/a/b", extra{"a": text(`{"c":"evil"}`)}, ""},
		{"a string on the way", "/a/b", extra{"a": "b"}, ""},
		{"an array on the way", "/a/0", extra{"a": text(`["evil"]`)}, ""},
		{"an array of objects on the way", "/a/b", extra{"a": text(`[{"b":"evil"}]`)}, ""},
		{"null on the way", "/a/b", extra{"a": text(`null`)}, ""},
		{"a number on the way", "/a/b", extra{"a": 1}, ""},
		{"an object at the end", "/a", extra{"a": text(`{"b":"evil"}`)}, "claims"},
		{"null at the end", "/a", extra{"a": text(`null`)}, "claims"},
		{"a number at the end", "/a", extra{"a": 7}, "claims"},
		{"true at the end", "/a", extra{"a": true}, "claims"},
		{"a number among them", "/a", extra{"a": text(`["a",1]`)}, "claims"},
		{"a list within", "/a", extra{"a": text(`[["a"]]`)}, "claims"},
		{"a scope with a space", "/a", extra{"a": []string{"a b", "c"}}, "c"},
		{"an empty scope in a list", "/a", extra{"a": []string{""}}, ""},
		{"a scope with a quote", "/a", extra{"a": `a"b c`}, "c"},
		{"a scope beyond ASCII", "/a", extra{"a": "lesé"}, ""},
		{"one name, and no list", "azp", extra{"azp": "prod east"}, ""},
		{"one name, and no list, by a pointer", "/cid", extra{"cid": "prod east"}, ""},
		{"one name", "azp", extra{"azp": "prod"}, "prod"},
		{"null for a claim that may be", "/scope", extra{"scope": text(`null`)}, ""},
		{"an empty string", "/a", extra{"a": ""}, ""},
		{"an empty list", "/a", extra{"a": []string{}}, ""},
		{"spaces around", "/a", extra{"a": "  a   b "}, "a b"},
		{"the same twice", "/a", extra{"a": "a a"}, "a"},
		{"as deep as JSON goes here", strings.Repeat("/a", 15), extra{"a": deep(14, `"a"`)}, "a"},
		{"deeper", strings.Repeat("/a", 20), extra{"a": deep(19, `"a"`)}, "json"},
		{"a duplicate on the way", "/a/b", extra{"a": text(`{"b":"a","b":"evil"}`)}, "json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			issuer := keysOf(iss)
			issuer.Profile.ScopeClaims = []string{tc.claim}
			raw := iss.Sign(object(map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA")}), payload(t, iss, tc.extra), "EdDSA")
			token, err := newMany(t, issuer).Verify(t.Context(), raw)
			got := outcome(token, err)
			if err == nil {
				got = token.Scopes().String()
			}
			if got != tc.want {
				t.Errorf("%q (%v), wanted %q", got, err, tc.want)
			}
		})
	}
}

// payload is the claims of a good token without scope, and e as it stands:
// encoding/json would mend what is wrong with it.
func payload(t *testing.T, iss *issuertest.Issuer, e extra) []byte {
	claims := goodClaims(iss, time.Now())
	claims["scope"] = nil
	body := object(claims)
	for name, value := range e {
		member, raw := value.(json.RawMessage)
		if !raw {
			var err error
			if member, err = json.Marshal(value); err != nil {
				t.Fatal(err)
			}
		}
		body = append(body[:len(body)-1], ","+strconv.Quote(name)+":"+string(member)+"}"...)
	}
	return body
}

func TestScopesAreAUnion(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	e := extra{"scope": "a b", "scp": []string{"b", "c"}, "roles": []string{"r"}, "permissions": []string{"p"}}
	for _, tc := range []struct {
		name   string
		claims []string
		want   string
	}{
		{"the default", nil, "a b c"},
		{"scope alone", []string{"scope"}, "a b"},
		{"the union of several", []string{"scope", "permissions"}, "a b p"},
		{"roles as scopes", []string{"roles"}, "r"},
		{"none", []string{}, ""},
		{"none that is there", []string{"grants"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			issuer := bothOf(iss)
			issuer.Profile.ScopeClaims = tc.claims
			v := newMany(t, issuer)
			for _, raw := range []string{iss.Token(e.claims()), iss.Opaque(e.claims())} {
				token, err := v.Verify(t.Context(), raw)
				if err != nil || token.Scopes().String() != tc.want {
					t.Errorf("%v, %v, wanted %q", token.Scopes(), err, tc.want)
				}
			}
		})
	}
}

// TestRolesAndTenant are no grants: what is malformed is not there.
func TestRolesAndTenant(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	for _, tc := range []struct {
		name   string
		roles  []string
		extra  extra
		want   []string
		tenant string
	}{
		{"the default", nil, extra{"roles": []string{"a", "b"}}, []string{"a", "b"}, ""},
		{"a string is one role", nil, extra{"roles": "a b"}, []string{"a b"}, ""},
		{"several claims, in their order", []string{"/realm/roles", "groups"}, extra{"groups": []string{"g"}, "realm": text(`{"roles":["r"]}`), "roles": "x"}, []string{"r", "g"}, ""},
		{"none", []string{}, extra{"roles": "a"}, nil, ""},
		{"not there", nil, extra{}, nil, ""},
		{"a number among them", []string{"roles", "groups"}, extra{"roles": text(`["a",1]`), "groups": "g"}, []string{"g"}, ""},
		{"an object", nil, extra{"roles": text(`{"a":1}`)}, nil, ""},
		{"null", nil, extra{"roles": text(`null`)}, nil, ""},
		{"a tenant", nil, extra{"org": text(`{"id":"acme"}`)}, nil, "acme"},
		{"a tenant that is a number", nil, extra{"org": text(`{"id":7}`)}, nil, ""},
		{"a tenant that is a list", nil, extra{"org": text(`{"id":["acme"]}`)}, nil, ""},
		{"a tenant elsewhere", nil, extra{"org": "acme", "id": "acme"}, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			issuer := bothOf(iss)
			issuer.Profile.RoleClaims, issuer.Profile.TenantClaim = tc.roles, "/org/id"
			v := newMany(t, issuer)
			for _, raw := range []string{iss.Token(tc.extra.claims()), iss.Opaque(tc.extra.claims())} {
				token, err := v.Verify(t.Context(), raw)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(token.Roles(), tc.want) || token.Tenant() != tc.tenant {
					t.Errorf("roles %q, tenant %q", token.Roles(), token.Tenant())
				}
				if token.Scopes().Len() != 0 {
					t.Errorf("roles grant %v", token.Scopes())
				}
			}
		})
	}
}

// TestMalformedScopesAreRefusals in an answer, too: what grants must be clear.
func TestMalformedScopesAreRefusals(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newMany(t, bothOf(iss))
	for _, value := range []string{`7`, `{}`, `true`, `["a",7]`, `["a",null]`, `[["a"]]`} {
		for _, raw := range []string{iss.Token(extra{"scope": text(value)}.claims()), iss.Opaque(extra{"scope": text(value)}.claims())} {
			_, err := v.Verify(t.Context(), raw)
			wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClaims)
			if err != nil && errors.Is(err, validator.ErrUnavailable) {
				t.Errorf("%v is an outage", err)
			}
		}
	}
}
