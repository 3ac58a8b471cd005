package validator_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/validator"
)

func TestClaim(t *testing.T) {
	token, err := validator.DangerouslyUnverified([]byte(` {
		"iss":"https://id.example.com", "plan":"gold", "Plan":"other", "n":42, "big":9007199254740993, "yes":true, "none":null, "":"empty",
		"tenant":{"plan":"silver","limits":{"rps":10.5},"none":null,"a/b":"slash","c~d":"tilde","~1":"both"},
		"groups":["ops","dev",["inner"],{"name":"last"}], "https://example.com/roles":["r"], "/x":"odd", "esc\u0061ped":"\u00e9" }`), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	type limits struct {
		RPS float64 `json:"rps"`
	}
	for _, tc := range []struct {
		name string
		want any // what is there; its type is asked for
	}{
		{"plan", "gold"},
		{"Plan", "other"},
		{"/plan", "gold"},
		{"n", 42},
		{"big", int64(9007199254740993)},
		{"yes", true},
		{"", "empty"},
		{"/", "empty"},
		{"/tenant/plan", "silver"},
		{"/tenant/limits", limits{10.5}},
		{"/tenant/limits/rps", 10.5},
		{"/tenant/a~1b", "slash"},
		{"/tenant/c~0d", "tilde"},
		{"/tenant/~01", "both"},
		{"tenant", map[string]any{"plan": "silver", "limits": map[string]any{"rps": 10.5}, "none": nil, "a/b": "slash", "c~d": "tilde", "~1": "both"}},
		{"groups", []any{"ops", "dev", []any{"inner"}, map[string]any{"name": "last"}}},
		{"/groups/0", "ops"},
		{"/groups/1", "dev"},
		{"/groups/2/0", "inner"},
		{"/groups/3/name", "last"},
		{"https://example.com/roles", []string{"r"}},
		{"/https:~1~1example.com~1roles/0", "r"},
		{"/~1x", "odd"},
		{"escaped", "é"},
	} {
		dst := reflect.New(reflect.TypeOf(tc.want))
		if err := token.Claim(tc.name, dst.Interface()); err != nil {
			t.Errorf("%q: %v", tc.name, err)
		} else if diff := cmp.Diff(tc.want, dst.Elem().Interface()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tc.name, diff)
		}
	}
	for _, name := range []string{
		"absent", "/absent", "PLAN", "none", "/none", "/tenant/none", "/tenant/absent", "/plan/deeper", "/n/0", "/tenant/", "/tenant/Plan", "tenant/plan", "tenant.plan",
		"/groups/4", "/groups/-", "/groups/-1", "/groups/00", "/groups/+1", "/groups/1e0", "/groups/", "/groups/99999999999999999999", "/groups/0/0", "//", "/x",
	} {
		got := "before"
		if err := token.Claim(name, &got); !errors.Is(err, validator.ErrNoClaim) || got != "before" {
			t.Errorf("%q: %v, %q, wanted ErrNoClaim and nothing changed", name, err, got)
		}
	}
	for _, name := range []string{"/tenant/c~d", "/tenant/~", "/~2", "/a~"} {
		if err := token.Claim(name, new(string)); err == nil || errors.Is(err, validator.ErrNoClaim) || !strings.Contains(err.Error(), "no JSON Pointer") {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, dst := range map[string]any{"plan": new(int), "n": new(string), "yes": new(string), "groups": new(string), "big": new(int8), "/tenant/limits": new([]string)} {
		if err := token.Claim(name, dst); err == nil || errors.Is(err, validator.ErrNoClaim) || !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("%q into %T: %v", name, dst, err)
		}
	}
	for _, dst := range []any{nil, "no pointer", (*string)(nil)} {
		if err := token.Claim("plan", dst); err == nil {
			t.Errorf("into %T: no error", dst)
		}
	}
	for _, none := range []*validator.Token{nil, {}} {
		if err := none.Claim("plan", new(string)); err == nil || !strings.Contains(err.Error(), "no token here") {
			t.Errorf("of no token: %v", err)
		}
	}
}

// TestUnverifiedTokenHasAProfile: a unit test of a handler has all that the
// handler reads.
func TestUnverifiedTokenHasAProfile(t *testing.T) {
	profile := validator.Profile{ScopeClaims: []string{"permissions"}, RoleClaims: []string{"/realm_access/roles"}, TenantClaim: "/org/id"}
	token, err := validator.DangerouslyUnverified([]byte(`{"permissions":["a"],"scope":"b","realm_access":{"roles":["r"]},"roles":["s"],"org":{"id":"acme"}}`), profile)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{token.Scopes().String(), token.Roles(), token.Tenant()}
	if diff := cmp.Diff([]any{"a", []string{"r"}, "acme"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestClaimDecodesAsClaims does, whatever it decodes into.
func TestClaimDecodesAsClaims(t *testing.T) {
	token := unverified(t, `{"large":9007199254740993,"life":5000000000,"list":[1,9007199254740993]}`)
	var all struct {
		Large json.Number
		Life  time.Duration
		List  []any
	}
	if err := json.Unmarshal([]byte(`{"large":9007199254740993,"life":5000000000}`), &all); err != nil {
		t.Fatal(err)
	}
	all.List = []any{float64(1), json.Number("9007199254740993")}
	var got struct {
		Large json.Number
		Life  time.Duration
		List  []any
	}
	for name, dst := range map[string]any{"large": &got.Large, "life": &got.Life, "list": &got.List} {
		if err := token.Claim(name, dst); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var whole any
	if err := token.Claim("large", &whole); err != nil || whole != json.Number("9007199254740993") {
		t.Errorf("%v (%T), %v", whole, whole, err)
	}
}
