package validator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestImplies(t *testing.T) {
	p := validator.Profile{
		Grants: func(t *validator.Token) ([]string, []string) {
			var more []string
			_ = t.Claim("more", &more)
			return more, nil
		},
		Implies: map[string][]string{
			"admin":        {"orders:write", "audit"},
			"orders:write": {"orders:read", "orders:list"},
			"audit":        {"orders:read"},
			"*":            {"everything"},
			"stock:*":      {"stock:read"},
		},
	}
	for _, tc := range []struct {
		name, scopes  string
		extra         extra
		passes, fails string
	}{
		{"nothing", "", extra{}, "", "admin orders:read"},
		{"the lowest", "orders:read", extra{"scope": "orders:read"}, "orders:read", "orders:write admin audit"},
		{"one step", "orders:list orders:read orders:write", extra{"scope": "orders:write"}, "orders:read", "admin audit"},
		{"two steps", "admin audit orders:list orders:read orders:write", extra{"scope": "admin"}, "orders:read audit", "everything stock:read"},
		{"from Grants", "audit orders:read", extra{"more": []string{"audit"}}, "orders:read", "admin"},
		{"a star that the API gives a meaning", "* everything", extra{"scope": "*"}, "everything", "admin orders:read"},
		{"a wildcard by its literal name", "stock:* stock:read", extra{"scope": "stock:*"}, "stock:read", "stock:write"},

		{"another case", "Admin", extra{"scope": "Admin"}, "Admin", "admin orders:read"},
		{"another case, in upper", "ADMIN ORDERS:WRITE", extra{"scope": "ADMIN ORDERS:WRITE"}, "", "orders:read orders:write"},
		{"a name with a space", "", extra{"scope": []string{"admin x", " admin", "admin "}}, "", "admin orders:read x"},
		{"a name with a space, from Grants", "", extra{"more": []string{"admin x", "admin\n"}}, "", "admin orders:read"},
		{"part of a name", "admi admin2 xadmin", extra{"scope": "admi admin2 xadmin"}, "", "admin orders:read"},
		{"another claim", "", extra{"roles": []string{"admin"}}, "", "admin orders:read"},
		{"a look-alike", "", extra{"scope": "аdmin"}, "", "admin orders:read"},
	} {
		t.Run(tc.name, func(t *testing.T) { checked(t, profile(p), tc.extra, tc.scopes, tc.passes, tc.fails) })
	}
	grants(t, profile(validator.Profile{ScopeClaims: []string{"roles"}, Implies: map[string][]string{"admin": {"a"}}}), extra{"roles": []string{"admin"}}, "a admin", "admin")
}

// TestImpliesOfManyPaths: each name is looked at once, however many ways lead to it.
func TestImpliesOfManyPaths(t *testing.T) {
	implies := make(map[string][]string)
	for n := range 100 {
		next := []string{fmt.Sprintf("a%d", n+1), fmt.Sprintf("b%d", n+1)}
		implies[fmt.Sprintf("a%d", n)], implies[fmt.Sprintf("b%d", n)] = next, next
	}
	iss := issuertest.NewInMemory(t)
	issuer := keysOf(iss)
	issuer.Profile.Implies = implies
	token, err := newMany(t, issuer).Verify(t.Context(), iss.Token(issuertest.Claims{Scope: "a0"}))
	if err != nil || token.Scopes().Len() != 201 || !token.Scopes().Contains("b100") || token.Scopes().Contains("b0") {
		t.Errorf("%v, %v", token, err)
	}
}

// TestWildcardSuffix among issuers that mean a star so and others: the same token of
// another one grants its literal names and nothing else.
func TestWildcardSuffix(t *testing.T) {
	means, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	with, without := keysOf(means), keysOf(other)
	with.Profile.WildcardSuffix = ":*"
	with.Profile.Implies = map[string][]string{"admin": {"stock:*"}}
	v := newMany(t, with, without)
	verify := func(iss *issuertest.Issuer, scope string) *validator.Token {
		token, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{Scope: scope}))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for _, tc := range []struct{ scope, passes, fails string }{
		{"orders:*", "orders:read orders:items:read orders:*", "orders orders: ordersx:read orders-old:read Orders:read stock:read *"},
		{"orders:items:*", "orders:items:read", "orders:read orders:items orders:items-old:read"},
		{"*", "*", "orders:read orders a"},
		{"*:*", "*:*", "orders:read *:read"},
		{":*", ":*", "orders:read :read"},
		{"ord*", "ord*", "orders:read ord:read orders"},
		{"orders:re*", "orders:re*", "orders:read"},
		{"orders.*", "orders.*", "orders.read"},
		{"admin", "stock:read stock:*", "orders:read stock"},
	} {
		for name, way := range map[string]struct {
			iss  *issuertest.Issuer
			wild bool
		}{"the issuer that means it so": {means, true}, "another issuer": {other, false}} {
			token := verify(way.iss, tc.scope)
			for _, rule := range strings.Fields(tc.passes) {
				if got := token.Check(scopes.All(rule)) == nil; got != (way.wild || rule == tc.scope) {
					t.Errorf("%s: %q of %s: %v", rule, tc.scope, name, got)
				}
			}
			for _, rule := range strings.Fields(tc.fails) {
				err := token.Check(scopes.Any(rule))
				if e, ok := err.(*validator.Error); !ok || e.Scope() != rule { // the rule's own names, and no wildcard
					t.Errorf("%s: %q of %s: %v", rule, tc.scope, name, err)
				}
			}
		}
	}
}

// TestScopesOfAnOddForm: whoever looks for a scope that the token has in another form
// than a profile's lists read is told of it.
func TestScopesOfAnOddForm(t *testing.T) {
	for name, tc := range map[string]struct {
		claims  string
		profile validator.Profile
		says    string
		not     string
	}{
		"member names":                        {`{"urn:roles":{"orders:read":{"1":"x"}}}`, validator.Profile{}, `claim "urn:roles" holds it, and is no string and no list of strings: Profile.Grants`, "Profile.ScopeClaims if"},
		"member names below":                  {`{"a":{"b~c":{"orders:read":true}}}`, validator.Profile{}, `claim "/a/b~0c" holds it, and is no string`, ""},
		"objects with names":                  {`{"roles":[{"name":"x"},{"name":"orders:read"}]}`, validator.Profile{}, `claim "roles" holds it, and is no string`, "/roles/1"},
		"member names in a list":              {`{"roles":[[{"orders:read":1}]]}`, validator.Profile{}, `claim "roles" holds it, and is no string`, "/roles/0"},
		"a list is better":                    {`{"roles":{"orders:read":1},"perms":["orders:read"]}`, validator.Profile{}, `claim "perms" holds it: name that claim in Profile.ScopeClaims`, "Grants"},
		"a claim of that name":                {`{"orders:read":{"orders:read":1}}`, validator.Profile{}, `claim "orders:read" holds it`, ""},
		"a claim of that name, and not in it": {`{"orders:read":true}`, validator.Profile{}, "holds none of Profile.ScopeClaims", "Grants"},
		"commas":                              {`{"scope":"orders:read,b"}`, validator.Profile{}, "or split them in Profile.Grants", ""},
		"a wildcard":                          {`{"scope":"a orders:*"}`, validator.Profile{}, `scope "orders:*" grants that name alone: if the issuer means it as a wildcard, Profile.WildcardSuffix is ":*"`, ""},
		"a wildcard of another":               {`{"scope":"a stock:* ord* *"}`, validator.Profile{}, "the client should ask", "Wildcard"},
		"where it is read":                    {`{"env":"prod"}`, validator.Profile{NameClaims: []string{"env", "x.y"}, Grants: returning(nil)}, `read from "scope" (absent), "scp" (absent), "env", "x.y" (absent), Profile.Grants`, "holds none"},
		"a pointer":                           {`{"x":{"y":"prod"}}`, validator.Profile{NameClaims: []string{"x.y"}}, `Profile.NameClaims should hold "/x/y" in place of "x.y"`, ""},
	} {
		token, err := validator.DangerouslyUnverified([]byte(tc.claims), tc.profile)
		if err != nil {
			t.Fatal(err)
		}
		said := token.Check(scopes.All("orders:read")).Error()
		if !strings.Contains(said, tc.says) || tc.not != "" && strings.Contains(said, tc.not) {
			t.Errorf("%s: %s\nwanted %q, and not %q", name, said, tc.says, tc.not)
		}
	}
}
