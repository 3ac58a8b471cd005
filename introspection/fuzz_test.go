package introspection_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/testdata"
)

// FuzzAnswer feeds the decoder any body with status 200. The oracle is an
// independent reading by encoding/json: what the client accepts must be one
// object there, too, with the same boolean active and with no name twice, and
// the claims handed out must say the same. Config.NoExpiry lets an exp of -1 and null
// in, and nothing else.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		activeBody, `{"active":false}`, `{"active":"true"}`, `{"active":1}`, `{"active":null}`, `{}`, ``, `[]`, `true`,
		`{"active":false,"active":true}`, `{"active":false,"\u0061ctive":true}`, `{"Active":true}`, "{\"\u017fcope\":\"a\",\"active\":true}",
		`{"active":true,"exp":4102444800}`, `{"active":true,"exp":4.1e9}`, `{"active":true,"exp":"1"}`, `{"active":true,"exp":-1}`,
		`{"active":true,"exp":null}`, `{"active":true,"exp":0}`, `{"active":true,"exp":-1.0}`, `{"active":true,"exp":null,"exp":1}`, `{"active":false,"exp":-1}`,
		`{"active":true} {"active":true}`, ` {"active" : true , "aud":[], "x":{"y":[1,2,{"z":null}]}} `, `{"active":true,"a":{"b":1,"b":2}}`,
		signedAnswer, "{\"active\":true,\"sub\":\"\xff\"}", `{"active":true,"sub":"\ud800"}`, "\ufeff{\"active\":true}",
	} {
		f.Add([]byte(seed))
	}
	for _, server := range testdata.Recorded() {
		for _, token := range server.Tokens {
			f.Add([]byte(token.Introspection))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ask := func(noExpiry ...string) (*introspection.Result, error) {
			c := newClient(t, newUpstream(always(string(body))), func(cfg *introspection.Config) { cfg.CacheEntries, cfg.NoExpiry = -1, noExpiry })
			return c.Introspect(t.Context(), "token")
		}
		_, strict := ask()
		r, err := ask("0", "-1", "null")
		if strict != nil {
			failure(t, strict)
		}
		if err != nil {
			failure(t, err)
			if strict == nil {
				t.Fatalf("refused with NoExpiry alone: %q", body)
			}
			return
		}
		var doc map[string]any
		if err := unmarshal(body, &doc); err != nil {
			t.Fatalf("accepted what encoding/json refuses (%v): %q", err, body)
		}
		if active, ok := doc["active"].(bool); !ok || active != r.Active() {
			t.Fatalf("active is %v, encoding/json says %v: %q", r.Active(), doc["active"], body)
		}
		if exp, there := doc["exp"]; strict != nil && (!r.Active() || !there || exp != nil && exp != json.Number("-1")) {
			t.Fatalf("accepted with NoExpiry alone: %q", body)
		}
		if names := memberCount(t, body); names != len(doc) {
			t.Fatalf("accepted an object with %d members and %d names: %q", names, len(doc), body)
		}
		var claims map[string]any
		if err := unmarshal(r.Claims(), &claims); err != nil || claims["active"] != r.Active() {
			t.Fatalf("the claims %q do not say active %v (%v)", r.Claims(), r.Active(), err)
		}
		if r.Active() && string(r.Claims()) != string(body) {
			t.Fatalf("the claims are %q, want the answer %q", r.Claims(), body)
		}
	})
}

// unmarshal leaves numbers as they are: one beyond float64 is good JSON.
func unmarshal(text []byte, dst any) error {
	if !json.Valid(text) {
		return errors.New("is not JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(dst)
}

// memberCount counts the members of the outermost object, a name that comes
// twice counting twice.
func memberCount(t *testing.T, body []byte) int {
	t.Helper()
	members := 0
	decoder := json.NewDecoder(bytes.NewReader(body))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		var value json.RawMessage
		if _, err := decoder.Token(); err != nil { // the name
			t.Fatal(err)
		}
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		members++
	}
	return members
}
