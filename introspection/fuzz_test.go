package introspection_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/testdata"
)

// FuzzAnswer feeds the decoder any body with status 200. The oracle is an
// independent reading by encoding/json: what the client accepts must be one
// object there, too, with the same boolean active and with no name twice, and
// the claims handed out must say the same. It reads exp as a NumericDate, and for each
// Config.NoExpiry compares who is refused and how long the answer is good.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		activeBody, `{"active":false}`, `{"active":"true"}`, `{"active":1}`, `{"active":null}`, `{}`, ``, `[]`, `true`,
		`{"active":false,"active":true}`, `{"active":false,"\u0061ctive":true}`, `{"Active":true}`, "{\"\u017fcope\":\"a\",\"active\":true}",
		`{"active":true,"exp":4102444800}`, `{"active":true,"exp":4.1e9}`, `{"active":true,"exp":"1"}`, `{"active":true,"exp":-1}`,
		`{"active":true,"exp":null}`, `{"active":true,"exp":0}`, `{"active":true,"exp":-0}`, `{"active":true,"exp":0.0}`, `{"active":true,"exp":1}`, `{"active":true,"exp":"0"}`,
		`{"active":true,"exp":1000000000}`, `{"active":true,"exp":1000000007.25}`, `{"active":true,"exp":1.1e9}`, `{"active":true,"exp":253402300799}`, `{"active":true,"exp":253402300800}`, `{"active":true,"exp":true}`,
		`{"active":true,"exp":[1]}`, `{"active":true,"exp":{}}`, `{"active":false,"exp":"soon"}`, `{"active":true,"exp":-1.0}`, `{"active":true,"exp":null,"exp":1}`, `{"active":false,"exp":-1}`,
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
	readings := [][]string{nil, {"0"}, {"-1"}, {"null"}, {"0", "-1", "null"}} // Config.NoExpiry
	f.Fuzz(func(t *testing.T, body []byte) {
		errs := make([]error, len(readings))
		readable := false
		for n, endless := range readings {
			errs[n] = readAnswer(t, body, endless)
			readable = readable || errs[n] == nil
		}
		var doc map[string]any
		_ = unmarshal(body, &doc) // of what is readable, it is no error
		for n, endless := range readings {
			good, bad := secondExpiry(doc, endless).judge()
			if err := errs[n]; err == nil && bad || err != nil && good && (readable || strings.Contains(err.Error(), "has a member exp that")) {
				t.Fatalf("with NoExpiry %q: %v, and a second reader takes its exp: %v: %q", endless, err, good, body)
			}
		}
	})
}

// fuzzNow is early enough for any exp to come within fuzzLifetime, and late enough
// for some to have passed.
var fuzzNow = time.Unix(1_000_000_000, 0)

const fuzzLifetime = 200 * 365 * 24 * time.Hour

// readAnswer compares what one client reads in an answer, and returns its error.
func readAnswer(t *testing.T, body []byte, endless []string) error {
	t.Helper()
	c := newClient(t, newUpstream(always(string(body))), func(cfg *introspection.Config) {
		cfg.NoExpiry, cfg.PositiveLifetime, cfg.Now = endless, fuzzLifetime, func() time.Time { return fuzzNow }
	})
	begin := time.Now()
	r, err := c.Introspect(t.Context(), "token")
	end := time.Now()
	if err != nil {
		failure(t, err)
		return err
	}
	var doc map[string]any
	if err := unmarshal(body, &doc); err != nil {
		t.Fatalf("accepted what encoding/json refuses (%v): %q", err, body)
	}
	if active, ok := doc["active"].(bool); !ok || active != r.Active() {
		t.Fatalf("active is %v, encoding/json says %v: %q", r.Active(), doc["active"], body)
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
	least, most := secondExpiry(doc, endless).lifetime()
	switch until := r.ValidUntil(); {
	case until.IsZero() && least > 0, !until.IsZero() && (until.Before(begin.Add(least)) || until.After(end.Add(most)) || most == 0):
		t.Fatalf("with NoExpiry %q: good until %v, and a second reader says for %v: %q", endless, until, least, body)
	}
	return nil
}

// expiry is what a second reader makes of exp.
type expiry struct {
	read bool       // by an active answer
	at   *big.Float // nil for none
	odd  bool       // it is no NumericDate (RFC 7519 §2) of a year that is written in four digits
}

func secondExpiry(doc map[string]any, endless []string) expiry {
	value, there := doc["exp"]
	if doc["active"] != true {
		return expiry{}
	}
	number, _ := value.(json.Number)
	switch text := number.String(); {
	case !there, value == nil && slices.Contains(endless, "null"), slices.Contains(endless, text):
		return expiry{read: true}
	case text == "", text[0] == '-', len(text) > 64 && strings.ContainsAny(text, "eE"):
		return expiry{read: true, odd: true}
	default:
		at, _, err := big.ParseFloat(text, 10, 200, big.ToNearestEven)
		return expiry{read: true, at: at, odd: err != nil}
	}
}

// judge says whether an answer with such an exp is to be taken, or to be refused. Where
// a float64 cannot tell, it is neither.
func (e expiry) judge() (good, bad bool) {
	const end, rounding = 253402300799, 1e-3
	switch {
	case e.odd:
		return false, true
	case e.at == nil:
		return true, false
	}
	return e.at.Cmp(big.NewFloat(end)) <= 0, e.at.Cmp(big.NewFloat(end+rounding)) > 0
}

// lifetime is how long an answer is good for, within what a float64 can tell.
func (e expiry) lifetime() (least, most time.Duration) {
	switch {
	case !e.read:
		return 10 * time.Second, 10 * time.Second // Config.NegativeLifetime
	case e.at == nil:
		return fuzzLifetime, fuzzLifetime
	}
	seconds, _ := new(big.Float).Sub(e.at, big.NewFloat(float64(fuzzNow.Unix()))).Float64()
	within := func(seconds float64) time.Duration {
		return time.Duration(min(max(seconds, 0), fuzzLifetime.Seconds()) * float64(time.Second))
	}
	const rounding = 1e-4
	return within(seconds - rounding), within(seconds + rounding)
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
