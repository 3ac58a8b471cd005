package validator_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/validator"
)

func unverified(t *testing.T, claims string) *validator.Token {
	t.Helper()
	token, err := validator.DangerouslyUnverified([]byte(claims), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestClaimsAsEncodingJSON: what encoding/json decodes, Claims does, to the same
// values; but names match exactly.
func TestClaimsAsEncodingJSON(t *testing.T) {
	const text = `{"number":9007199254740993,"quoted":"17","wait":1500000000,"at":"2026-03-01T12:00:00Z","list":[1,2,3],"bytes":"AQID",
		"raw":{"a":[1]},"any":{"a":[1,0.5,-7,"x",null,true]},"big":18446744073709551615,"float":0.1,"none":null,"Case":"x","nested":{"n":1}}`
	type target struct {
		Number json.Number            `json:"number"`
		Quoted int                    `json:"quoted,string"`
		Wait   time.Duration          `json:"wait"`
		At     time.Time              `json:"at"`
		List   [2]int                 `json:"list"`
		Bytes  []byte                 `json:"bytes"`
		Raw    json.RawMessage        `json:"raw"`
		Any    any                    `json:"any"`
		Big    uint64                 `json:"big"`
		Float  float64                `json:"float"`
		None   string                 `json:"none"`
		Nested map[string]json.Number `json:"nested"`
		Ptr    *json.Number           `json:"-"`
	}
	got, want := target{None: "stays"}, target{None: "stays"}
	if err := unverified(t, text).Claims(&got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("encoding/json (-) and Claims (+): %s", diff)
	}
	var other struct {
		Case string `json:"case"`
	}
	if err := unverified(t, text).Claims(&other); err != nil || other.Case != "" {
		t.Errorf("a name matched in another case: %q, %v", other.Case, err)
	}
	for _, dst := range []any{new(struct {
		N json.Number `json:"at"`
	}), new(struct {
		N json.Number `json:"list"`
	}), new(struct {
		D time.Duration `json:"at"`
	}), new(struct {
		N int64 `json:"big"`
	}), struct{}{}, nil} {
		err := unverified(t, text).Claims(dst)
		if err == nil || !strings.HasPrefix(err.Error(), "validator: the claims do not fit ") {
			t.Errorf("%T: %v", dst, err)
		}
	}
	var number struct {
		N json.Number `json:"quoted"`
	}
	if err := unverified(t, text).Claims(&number); err != nil || number.N != "17" {
		t.Errorf("a number in quotes: %q, %v", number.N, err)
	}
}

// TestWholeNumbersKeepTheirValue in a map, in a list within, and in an any.
func TestWholeNumbersKeepTheirValue(t *testing.T) {
	for text, want := range map[string]any{
		"0": 0.0, "-1": -1.0, "1795164741": 1795164741.0, "0.5": 0.5, "1e3": 1000.0, "1e300": 1e300,
		"9007199254740992": 9007199254740992.0, "-9007199254740992": -9007199254740992.0,
		"9007199254740993": json.Number("9007199254740993"), "-9007199254740993": json.Number("-9007199254740993"),
		"9223372036854775807": json.Number("9223372036854775807"), "18446744073709551615": json.Number("18446744073709551615"),
		strings.Repeat("9", 400): json.Number(strings.Repeat("9", 400)), "1e400": json.Number("1e400"),
	} {
		token := unverified(t, fmt.Sprintf(`{"n":%s,"within":{"list":[%[1]s]}}`, text))
		var members map[string]any
		if err := token.Claims(&members); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(map[string]any{"n": want, "within": map[string]any{"list": []any{want}}}, members); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		var one struct{ N any }
		if err := token.Claims(&one); err != nil || one.N != nil {
			t.Errorf("%s: %v, %v", text, one.N, err) // the name is "n"
		}
		if f, ok := want.(float64); ok && f != math.Trunc(f) {
			continue
		}
		again, err := json.Marshal(members["n"])
		if err != nil || !jsontext.Value(again).IsValid() {
			t.Errorf("%s was written again as %s, %v", text, again, err)
		}
	}
}

// spoiler writes to what it is given, as code that decrypts in place would.
type spoiler struct{}

func (*spoiler) UnmarshalJSON(text []byte) error {
	clear(text)
	return nil
}

// textSpoiler does the same with the text of a string.
type textSpoiler struct{}

func (*textSpoiler) UnmarshalText(text []byte) error {
	clear(text)
	return nil
}

// TestClaimsCannotBeSpoilt: many requests share a token, and a type of the user's
// own gets pieces of what is decoded.
func TestClaimsCannotBeSpoilt(t *testing.T) {
	const text = `{"iss":"https://id.example.com","sub":"service-a","client_id":"service-a","scope":"a b","list":[1,2,3],"note":"plain"}`
	token := unverified(t, text)
	var dst struct {
		Sub   jsontext.Value  `json:"sub"`
		Raw   json.RawMessage `json:"client_id"`
		Hook  spoiler         `json:"list"`
		Note  textSpoiler     `json:"note"`
		Rest  jsontext.Value  `json:",embed"`
		Scope *spoiler        `json:"scope"`
	}
	var whole spoiler
	var each map[string]*spoiler
	for _, dst := range []any{&dst, &whole, &each} {
		if err := token.Claims(dst); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sub", "client_id", "list", "scope", "note"} {
		if err := token.Claim(name, new(spoiler)); err != nil {
			t.Fatal(err)
		}
	}
	clear(dst.Sub)
	clear(dst.Raw)
	clear(dst.Rest)
	var again, want map[string]any
	if err := token.Claims(&again); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("the claims have changed: %s", diff)
	}
	if got := fmt.Sprint(token.Issuer(), token.Subject(), token.ClientID(), token.Scopes()); got != "https://id.example.comservice-aservice-aa b" {
		t.Errorf("the token says %q", got)
	}
}
