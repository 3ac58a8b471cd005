package validator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestContext(t *testing.T) {
	if token := validator.FromContext(t.Context()); token != nil {
		t.Errorf("an empty context holds %v", token)
	}
	first, err := validator.DangerouslyUnverified([]byte(`{"sub":"first"}`), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := validator.DangerouslyUnverified([]byte(`{"sub":"second"}`), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	outer := validator.NewContext(t.Context(), first)
	inner, cancel := context.WithCancel(validator.NewContext(outer, second))
	cancel()
	if validator.FromContext(outer) != first || validator.FromContext(inner) != second {
		t.Error("a context holds another token than was put there last")
	}
}

func TestDangerouslyUnverified(t *testing.T) {
	claims := []byte(`{"iss":"https://id.example.com","scope":"a b","scp":["c"],"client_id":"svc"}`)
	token, err := validator.DangerouslyUnverified(claims, validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	clear(claims) // the token has a copy
	if token.Issuer() != "https://id.example.com" || token.ClientID() != "svc" || token.Scopes().String() != "a b c" {
		t.Errorf("%v with scopes %v", token, token.Scopes())
	}
	if !token.Expiry().IsZero() || !token.IssuedAt().IsZero() || token.Audience() != nil || token.Subject() != "" || token.ID() != "" {
		t.Errorf("claims that are not there: %#v", token)
	}
	for _, wrong := range []string{``, `[]`, `null`, `{"iss":"a","iss":"b"}`, `{"exp":"tomorrow"}`, `{"aud":1}`, `{"scope":7}`, `{} {}`} {
		if token, err := validator.DangerouslyUnverified([]byte(wrong), validator.Profile{}); err == nil {
			t.Errorf("%s makes %v", wrong, token)
		} else {
			wantCheck(t, err, validator.ErrInvalidToken, err.(*validator.Error).Check())
		}
	}
}

func TestTokenAccessors(t *testing.T) {
	iss := issuertest.New(t)
	now := time.Now().Truncate(time.Second)
	claims := issuertest.Claims{
		Subject: "subject", ClientID: "client", Audience: []string{issuertest.Audience, "other"}, Scope: "b a",
		IssuedAt: now, NotBefore: now, Expiry: now.Add(time.Minute),
		Extra: map[string]any{"jti": "id", "tenant": "acme", "roles": []string{"reader", "writer"}},
	}
	for name, get := range map[string]func() (*validator.Token, error){
		"JWT":    func() (*validator.Token, error) { return newJWT(t, iss).Verify(t.Context(), iss.Token(claims)) },
		"opaque": func() (*validator.Token, error) { return newOpaque(t, iss).Verify(t.Context(), iss.Opaque(claims)) },
	} {
		t.Run(name, func(t *testing.T) {
			token, err := get()
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"issuer": iss.URL(), "subject": "subject", "client": "client", "id": "id", "scopes": "a b",
				"audience": []string{issuertest.Audience, "other"}, "roles": []string{"reader", "writer"},
				"expiry": now.Add(time.Minute).Unix(), "issued": now.Unix(),
			}
			got := map[string]any{
				"issuer": token.Issuer(), "subject": token.Subject(), "client": token.ClientID(), "id": token.ID(), "scopes": token.Scopes().String(),
				"audience": token.Audience(), "roles": token.Roles(), "expiry": token.Expiry().Unix(), "issued": token.IssuedAt().Unix(),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}

			var own struct {
				Tenant string   `json:"tenant"`
				Roles  []string `json:"roles"`
			}
			if err := token.Claims(&own); err != nil || own.Tenant != "acme" || len(own.Roles) != 2 {
				t.Errorf("claims %+v, %v", own, err)
			}
			var exact struct{ Tenant string } // the claim is "tenant"
			if err := token.Claims(&exact); err != nil || exact.Tenant != "" {
				t.Errorf("a name matched in another case: %+v, %v", exact, err)
			}
			var misfit struct {
				Tenant int `json:"tenant"`
			}
			if err := token.Claims(&misfit); err == nil || !strings.HasPrefix(err.Error(), "validator: ") {
				t.Errorf("a string fits an int: %v", err)
			}
		})
	}
}

// TestTokenIsOutOfReach writes into everything that a Token hands out.
func TestTokenIsOutOfReach(t *testing.T) {
	iss := issuertest.New(t)
	v := newJWT(t, iss)
	raw := iss.Token(issuertest.Claims{Audience: []string{issuertest.Audience, "other"}, Extra: map[string]any{"roles": []string{"reader"}}})
	token, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	decode := func() (claims map[string]jsontext.Value) {
		if err := token.Claims(&claims); err != nil {
			t.Fatal(err)
		}
		return claims
	}
	before := fmt.Sprintf("%s %s %s", token.Audience(), token.Roles(), decode())
	clear(token.Audience())
	clear(token.Roles())
	for _, value := range decode() {
		clear(value)
	}
	var whole jsontext.Value
	if err := token.Claims(&whole); err != nil {
		t.Fatal(err)
	}
	clear(whole)
	if diff := cmp.Diff(before, fmt.Sprintf("%s %s %s", token.Audience(), token.Roles(), decode())); diff != "" {
		t.Error(diff)
	}
}

func TestClientID(t *testing.T) {
	for claims, want := range map[string]string{
		`{"client_id":"a","azp":"b","appid":"c","cid":"d"}`: "a",
		`{"azp":"b","appid":"c","cid":"d"}`:                 "b",
		`{"cid":"d","appid":"c"}`:                           "c",
		`{"cid":"d"}`:                                       "d",
		`{"client_id":"","azp":"b"}`:                        "b",
		`{"client_id":null,"azp":"b"}`:                      "b",
		`{"client_id":null,"azp":null,"cid":null}`:          "",
		`{"client_id":"a","azp":7,"cid":{}}`:                "a",
		`{"CLIENT_ID":"a","sub":"s"}`:                       "",
	} {
		token, err := validator.DangerouslyUnverified([]byte(claims), validator.Profile{})
		if err != nil || token.ClientID() != want {
			t.Errorf("%s: %v, %v, wanted client %q", claims, token, err, want)
		}
	}
}

func TestClientIDThatIsNone(t *testing.T) {
	for _, claims := range []string{`{"client_id":7}`, `{"client_id":null,"azp":7}`, `{"client_id":"","azp":["b"]}`, `{"cid":7}`} {
		if token, err := validator.DangerouslyUnverified([]byte(claims), validator.Profile{}); err == nil {
			t.Errorf("%s: %v, wanted an error", claims, token)
		}
	}
}

func TestScopeClaims(t *testing.T) {
	for claims, want := range map[string]string{
		`{}`:                            "",
		`{"scope":""}`:                  "",
		`{"scope":"b a"}`:               "a b",
		`{"scope":["b","a"]}`:           "a b",
		`{"scp":"b a"}`:                 "a b",
		`{"scp":["b","a"]}`:             "a b",
		`{"scp":[]}`:                    "",
		`{"scope":"a","scp":["b","a"]}`: "a b",
		`{"scope":" a  a "}`:            "a",
		`{"scope":"orders:read https://x.test/y"}`:                    "https://x.test/y orders:read",
		`{"Scope":"a","SCP":["b"],"permissions":["c"],"roles":["d"]}`: "",
		// A name that can be no scope grants nothing, and neither do its pieces.
		`{"scope":["a b","c"]}`:           "c",
		`{"scp":["","c"]}`:                "c",
		`{"scope":"a\tb c"}`:              "c",
		`{"scope":"\u00e9 c"}`:            "c",
		`{"scope":"a\"b a\\b a\u0000 c"}`: "c",
		`{"scope":"\u00a0"}`:              "",
		`{"scope":null,"scp":["a"]}`:      "a",
	} {
		token, err := validator.DangerouslyUnverified([]byte(claims), validator.Profile{})
		if err != nil || token.Scopes().String() != want {
			t.Errorf("%s: %v, %v, wanted scopes %q", claims, token, err, want)
		}
	}
	for _, claims := range []string{
		`{"scope":1}`, `{"scope":{"a":true}}`, `{"scope":["a",1]}`, `{"scope":["a",null]}`, `{"scope":["a",["b"]]}`, `{"scope":"a","scp":1}`,
	} {
		_, err := validator.DangerouslyUnverified([]byte(claims), validator.Profile{})
		wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClaims)
	}
}

func TestTokenCheck(t *testing.T) {
	token, err := validator.DangerouslyUnverified([]byte(`{"scope":"orders:read reports"}`), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []scopes.Rule{scopes.All("orders:read"), scopes.Any("x", "reports"), scopes.AnyToken()} {
		if err := token.Check(rule); err != nil {
			t.Errorf("rule that needs %q: %v", rule.Needs(), err)
		}
	}
	for _, rule := range []scopes.Rule{{}, scopes.All(), scopes.Any(), scopes.All("orders:read", "orders:write"), scopes.Any("x", "y"), scopes.All("orders"), scopes.All("ORDERS:READ")} {
		err := token.Check(rule)
		wantCheck(t, err, validator.ErrInsufficientScope, validator.CheckScope)
		e, ok := errors.AsType[*validator.Error](err)
		if ok && (e.Scope() != rule.Needs() || e.Code() != "insufficient_scope") {
			t.Errorf("scope %q and code %q, wanted %q", e.Scope(), e.Code(), rule.Needs())
		}
		if !strings.Contains(err.Error(), token.String()) {
			t.Errorf("%v: it does not say whose token", err)
		}
	}
}

func TestTokenString(t *testing.T) {
	token, err := validator.DangerouslyUnverified([]byte(`{"iss":"https://id.example.com","client_id":"s\u202ev\nc","sub":"private","jti":"private"}`), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	const want = `token of client "s\u202ev\nc" from "https://id.example.com"`
	for _, verb := range []string{"%v", "%+v", "%s"} {
		if got := fmt.Sprintf(verb, token); got != want {
			t.Errorf("%s prints %s, wanted %s", verb, got, want)
		}
	}
}
