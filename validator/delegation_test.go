package validator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// actors is a chain of so many actors, the outermost first.
func actors(n int) string {
	return strings.Repeat(`{"sub":"x","act":`, n-1) + `{"sub":"x"}` + strings.Repeat("}", n-1)
}

// TestActor reads who acts, and what it cannot read it does not take for nobody.
func TestActor(t *testing.T) {
	for name, tc := range map[string]struct {
		act  string
		want validator.Actor
		err  string // part of it; empty for none
	}{
		"RFC 8693 §4.1":                    {`{"sub":"admin@example.com"}`, validator.Actor{Subject: "admin@example.com"}, ""},
		"RFC 8693 §4.1, a chain":           {`{"sub":"https://service16.example.com","act":{"sub":"https://service77.example.com"}}`, validator.Actor{Subject: "https://service16.example.com"}, ""},
		"an issuer's":                      {`{"sub":"x","iss":"https://other.example.com"}`, validator.Actor{Issuer: "https://other.example.com", Subject: "x"}, ""},
		"a client":                         {`{"client_id":"reports"}`, validator.Actor{ClientID: "reports"}, ""},
		"escapes":                          {`{"s\u0075b":"a\u0062c"}`, validator.Actor{Subject: "abc"}, ""},
		"the inner one's client is not":    {`{"sub":"x","act":{"client_id":"y","iss":"z"}}`, validator.Actor{Subject: "x"}, ""},
		"other members":                    {`{"sub":"x","exp":"y","act":7}`, validator.Actor{Subject: "x"}, ""},
		"eight":                            {actors(8), validator.Actor{Subject: "x"}, ""},
		"nine":                             {actors(9), validator.Actor{}, "more than 8"},
		"as long as may be":                {`{"sub":"x","y":"` + strings.Repeat("z", 4096-len(`{"sub":"x","y":""}`)) + `"}`, validator.Actor{Subject: "x"}, ""},
		"longer":                           {`{"sub":"x","y":"` + strings.Repeat("z", 4097-len(`{"sub":"x","y":""}`)) + `"}`, validator.Actor{}, "4097 bytes"},
		"a string":                         {`"admin"`, validator.Actor{}, "no object"},
		"a list":                           {`[{"sub":"x"}]`, validator.Actor{}, "no object"},
		"false":                            {`false`, validator.Actor{}, "no object"},
		"nobody":                           {`{}`, validator.Actor{}, "neither sub nor client_id"},
		"an issuer's, but whom":            {`{"iss":"https://other.example.com"}`, validator.Actor{}, "neither sub nor client_id"},
		"an empty name":                    {`{"sub":""}`, validator.Actor{}, "neither sub nor client_id"},
		"the inner one alone has a name":   {`{"act":{"sub":"x"}}`, validator.Actor{}, "neither sub nor client_id"},
		"a name that is none":              {`{"sub":7,"client_id":"x"}`, validator.Actor{}, "sub is not a string"},
		"a name that is null":              {`{"sub":null,"client_id":"x"}`, validator.Actor{}, "sub is not a string"},
		"a name in another case":           {`{"Sub":"x"}`, validator.Actor{}, "neither sub nor client_id"},
		"another member that is no string": {`{"sub":"x","iss":{}}`, validator.Actor{}, "iss is not a string"},
	} {
		token := unverified(t, `{"act":`+tc.act+`}`)
		got, err := token.Actor()
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if (err != nil) != (tc.err != "") || err != nil && (!strings.Contains(err.Error(), tc.err) || errors.Is(err, validator.ErrNoClaim)) {
			t.Errorf("%s: %v, wanted %q", name, err, tc.err)
		}
	}
	if a, err := unverified(t, `{"sub":"x","x":{"act":{"sub":"y"}}}`).Actor(); !errors.Is(err, validator.ErrNoClaim) || a != (validator.Actor{}) {
		t.Errorf("nobody acts: %v, %v", a, err)
	}
	var none *validator.Token
	if _, err := none.Actor(); err == nil || errors.Is(err, validator.ErrNoClaim) {
		t.Errorf("of no token: %v", err)
	}
}

// TestActorDecidesNothing: a token is let in as it was before, whatever act is, but
// for null; and what the actor may do is nothing that the token grants.
func TestActorDecidesNothing(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v, asked := newJWT(t, iss), newOpaque(t, iss)
	for n, act := range []string{`{"sub":"x","scope":"admin","aud":"y","exp":0}`, `"x"`, `7`, `[]`, `{}`, actors(12)} {
		changes := map[string]any{"act": json.RawMessage(act)}
		claims := goodClaims(iss, time.Now())
		claims["act"] = changes["act"]
		says(iss, claims)
		token, err := v.Verify(t.Context(), with(iss, changes))
		answered, failed := asked.Verify(t.Context(), fmt.Sprint("opaque-", n))
		for how, token := range map[string]*validator.Token{"JWT": token, "answer": answered} {
			if err != nil || failed != nil || token.Subject() != "svc" || token.Scopes().String() != "orders:read" {
				t.Errorf("%s: %s: %v, %v, %v", act, how, token, err, failed)
			}
		}
	}
	wantOutcome(t, "claims")(v.Verify(t.Context(), with(iss, map[string]any{"act": json.RawMessage("null")})))
	token, err := v.Verify(t.Context(), with(iss, map[string]any{"act": map[string]any{"sub": "agent"}}))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := token.Actor(); a.Subject != "agent" || err != nil {
		t.Errorf("%v, %v", a, err)
	}
}

// TestAuthorizationDetails reads RFC 9396's, and all or none of them.
func TestAuthorizationDetails(t *testing.T) {
	const payment = `{"type":"payment_initiation","actions":["initiate","status"],"locations":["https://example.com/payments"],"instructedAmount":{"currency":"EUR","amount":"123.50"}}`
	const account = `{"type":"account","identifier":"account-14-32-32-3","datatypes":["contacts","photos"],"privileges":["admin"]}`
	for name, tc := range map[string]struct {
		details string
		want    []validator.AuthorizationDetail
		err     string
	}{
		"RFC 9396 §2": {"[" + payment + ", " + account + "]", []validator.AuthorizationDetail{
			{Type: "payment_initiation", Actions: []string{"initiate", "status"}, Locations: []string{"https://example.com/payments"}},
			{Type: "account", Identifier: "account-14-32-32-3", DataTypes: []string{"contacts", "photos"}, Privileges: []string{"admin"}},
		}, ""},
		"none of them":              {`[]`, nil, ""},
		"empty lists":               {`[{"type":"x","actions":[]}]`, []validator.AuthorizationDetail{{Type: "x"}}, ""},
		"as many as may be":         {manyDetails(128), repeated(128), ""},
		"more":                      {manyDetails(129), nil, "too many elements"},
		"an object":                 {payment, nil, "no array"},
		"a string":                  {`"x"`, nil, "no array"},
		"a string among them":       {`[` + payment + `,"x"]`, nil, "element 1 is no object"},
		"null among them":           {`[null]`, nil, "element 0 is no object"},
		"an array among them":       {`[[` + payment + `]]`, nil, "element 0 is no object"},
		"no type":                   {`[{"actions":["x"]}]`, nil, "element 0 has no type"},
		"an empty type":             {`[{"type":""}]`, nil, "has no type"},
		"a type that is none":       {`[{"type":["x"]}]`, nil, "type that is not a string"},
		"actions as one string":     {`[{"type":"x","actions":"y"}]`, nil, "actions that is no array"},
		"actions that are null":     {`[{"type":"x","actions":null}]`, nil, "actions that is no array"},
		"actions with a number":     {`[{"type":"x","actions":["y",7]}]`, nil, "actions that is neither"},
		"locations of another form": {`[{"type":"x","locations":{}}]`, nil, "locations that is no array"},
		"an identifier of no form":  {`[{"type":"x","identifier":7}]`, nil, "identifier that is not a string"},
	} {
		token := unverified(t, `{"authorization_details":`+tc.details+`}`)
		got, err := token.AuthorizationDetails()
		if len(got) != len(tc.want) || len(got) > 0 && !equalDetails(got, tc.want) {
			t.Errorf("%s: %+v, wanted %+v", name, got, tc.want)
		}
		if (err != nil) != (tc.err != "") || err != nil && (!strings.Contains(err.Error(), tc.err) || errors.Is(err, validator.ErrNoClaim)) {
			t.Errorf("%s: %v, wanted %q", name, err, tc.err)
		}
	}
	token := unverified(t, `{"authorization_details":[`+payment+`]}`)
	var amount struct {
		Amount string `json:"amount"`
	}
	if err := token.Claim("/authorization_details/0/instructedAmount", &amount); err != nil || amount.Amount != "123.50" {
		t.Errorf("%+v, %v", amount, err)
	}
	if _, err := unverified(t, `{"sub":"x"}`).AuthorizationDetails(); !errors.Is(err, validator.ErrNoClaim) {
		t.Errorf("without the claim: %v", err)
	}
	if _, err := unverified(t, `{"act":{"sub":"x"}}`).AuthorizationDetails(); !errors.Is(err, validator.ErrNoClaim) {
		t.Errorf("beside act: %v", err)
	}
	if _, err := unverified(t, `{"authorization_details":[]}`).Actor(); !errors.Is(err, validator.ErrNoClaim) {
		t.Errorf("beside authorization_details: %v", err)
	}
	var none *validator.Token
	if _, err := none.AuthorizationDetails(); err == nil || errors.Is(err, validator.ErrNoClaim) {
		t.Errorf("of no token: %v", err)
	}
}

func manyDetails(n int) string { return "[" + strings.Repeat(`{"type":"x"},`, n-1) + `{"type":"x"}]` }

func repeated(n int) []validator.AuthorizationDetail {
	all := make([]validator.AuthorizationDetail, n)
	for i := range all {
		all[i].Type = "x"
	}
	return all
}

// equalDetails takes an empty list for none.
func equalDetails(a, b []validator.AuthorizationDetail) bool {
	return fmt.Sprintf("%q", a) == fmt.Sprintf("%q", b)
}

// TestAuthorizationDetailsAreCopies: many requests share a token.
func TestAuthorizationDetailsAreCopies(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newJWT(t, iss)
	raw := with(iss, map[string]any{"authorization_details": []any{map[string]any{
		"type": "x", "actions": []string{"a"}, "locations": []string{"b"}, "datatypes": []string{"c"}, "privileges": []string{"d"},
	}}})
	want := []validator.AuthorizationDetail{{Type: "x", Actions: []string{"a"}, Locations: []string{"b"}, DataTypes: []string{"c"}, Privileges: []string{"d"}}}
	for range 3 {
		token, err := v.Verify(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := token.AuthorizationDetails()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		d := &got[0]
		d.Actions[0], d.Locations[0], d.DataTypes[0], d.Privileges[0] = "changed", "changed", "changed", "changed"
		*d = validator.AuthorizationDetail{}
	}
	if s := v.Stats(); s.Hits != 2 {
		t.Errorf("%d hits, wanted 2", s.Hits)
	}
}

// TestPrintingShowsNoDelegation: a token with all of it prints as one without.
func TestPrintingShowsNoDelegation(t *testing.T) {
	token := unverified(t, `{"iss":"https://id.example.com","client_id":"reports","act":{"sub":"`+private+`","iss":"`+private+`"},"authorization_details":[{"type":"`+private+`","actions":["`+private+`"]}]}`)
	if a, err := token.Actor(); a.Subject != private || err != nil {
		t.Fatal(a, err)
	}
	for _, x := range []any{token, *token, []*validator.Token{token}, struct{ hidden *validator.Token }{token}, struct{ hidden validator.Token }{*token}} {
		for how, text := range printed(x) {
			for _, form := range forms(private) {
				if strings.Contains(text, form) {
					t.Errorf("%T printed with %s shows %s: %.300s", x, how, form, text)
				}
			}
		}
	}
	// Nor does an error of what cannot be read.
	odd := unverified(t, `{"act":{"sub":["`+private+`"]},"authorization_details":[{"type":"x","actions":"`+private+`"}]}`)
	_, noActor := odd.Actor()
	_, noDetails := odd.AuthorizationDetails()
	if text := fmt.Sprint(noActor, noDetails); noActor == nil || noDetails == nil || strings.Contains(text, private) {
		t.Error(text)
	}
}
