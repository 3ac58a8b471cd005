package validator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// hostilePayloads are payloads that fit into MaxTokenBytes and are as dear to read
// as they can be, with the check that refuses a token of each under a forged
// signature: those that hold more than any token needs do not get that far.
func hostilePayloads(iss *issuertest.Issuer) map[string]struct{ payload, want string } {
	const room = 12_000
	claims := fmt.Sprintf(`"iss":%q,"aud":%q,"exp":%d`, iss.URL(), issuertest.Audience, time.Now().Add(time.Hour).Unix())
	fill := func(open, end string, member func(i int) string) string {
		var s strings.Builder
		s.WriteString(open)
		for i := 0; s.Len() < room-64; i++ {
			s.WriteString(member(i) + ",")
		}
		return strings.TrimSuffix(s.String(), ",") + end
	}
	members := func(format string) string {
		return fill("{"+claims+",", "}", func(i int) string { return fmt.Sprintf(format, i) })
	}
	list := func(element string) string {
		return fill("{"+claims+`,"x":[`, "]}", func(int) string { return element })
	}
	audiences := func(element string, n int) string {
		ours := fmt.Sprintf(`{"iss":%q,"exp":%d,"aud":[`, iss.URL(), time.Now().Add(time.Hour).Unix())
		return ours + strings.Repeat(element+",", n) + fmt.Sprintf("%q]}", issuertest.Audience)
	}
	return map[string]struct{ payload, want string }{
		"small":                 {"{" + claims + "}", "signature"},
		"a long string":         {fmt.Sprintf(`{%s,"x":%q}`, claims, strings.Repeat("a", room)), "signature"},
		"a long string of é":    {fmt.Sprintf(`{%s,"x":%q}`, claims, strings.Repeat("é", room/2)), "signature"},
		"a string of escapes":   {fmt.Sprintf(`{%s,"sub":"%s"}`, claims, strings.Repeat(`\n`, room/2)), "signature"},
		"members":               {members(`"%x":""`), "size"},
		"members of numbers":    {members(`"%x":0`), "size"},
		"members of arrays":     {members(`"%x":[]`), "size"},
		"members beyond ASCII":  {members(`"é%x":0`), "size"},
		"members with escapes":  {members(`"\n%x":"\n"`), "size"},
		"one object of members": {"{" + claims + `,"x":` + members(`"%x":0`) + "}", "size"},
		"arrays":                {list(`[]`), "size"},
		"numbers":               {list(`0`), "size"},
		"objects":               {list(`{"":0}`), "size"},
		"strings of escapes":    {list(`"\n"`), "size"},
		"audiences":             {audiences(`""`, 3800), "size"},
		"audiences of escapes":  {audiences(`"\n"`, 2200), "size"},
		"1,500 audiences":       {audiences(`"a"`, 1500), "size"},
		"900 audiences":         {audiences(`"\u0061"`, 900), "signature"},
		"390 members":           {strings.Replace(manyMembers(390), "{", "{"+claims+",", 1), "signature"},
		"long dates":            {fmt.Sprintf(`{"iss":%q,"aud":%q,"exp":9999999999.%s,"iat":1.%[3]s}`, iss.URL(), issuertest.Audience, strings.Repeat("9", room/2-100)), "signature"},
		"a date of zeros":       {fmt.Sprintf(`{%s,"nbf":0.%s1e9000}`, claims, strings.Repeat("0", 9000)), "nbf"},
	}
}

// TestForgedTokensAreRefusedEarly: what a token can cost before its signature has
// a bound in members, elements and audiences.
func TestForgedTokensAreRefusedEarly(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newMany(t, keysOf(iss))
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
	for name, tc := range hostilePayloads(iss) {
		raw := forged(iss, tc.payload)
		if len(raw) > validator.DefaultMaxTokenBytes+1000 {
			t.Fatalf("%s: %d bytes", name, len(raw))
		}
		_, err := v.Verify(t.Context(), raw)
		if got := outcome(nil, err); got != tc.want {
			t.Errorf("%s: %s (%.200v), wanted %s", name, got, err, tc.want)
			continue
		}
		checkError(t, err.(*validator.Error))
	}
}

// forged is a token of the issuer's newest EdDSA key, by its header.
func forged(iss *issuertest.Issuer, payload string) string {
	return b64(string(object(map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA")}))) + "." + b64(payload) + "." + strings.Repeat("A", 86)
}

// TestLimitsGrowWithMaxTokenBytes: whoever's tokens hold more is told which field
// lets them in.
func TestLimitsGrowWithMaxTokenBytes(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	usual, long := newMany(t, keysOf(iss)), newValidator(t, keysOf(iss), func(c *validator.Config) { c.MaxTokenBytes = 256 << 10 })
	for _, extra := range []map[string]any{
		{"aud": append(make([]string, 1600), issuertest.Audience)},
		{"resource_access": json.RawMessage(manyMembers(450))},
		{"groups": make([]int, 2100)},
	} {
		raw := iss.Token(issuertest.Claims{Extra: extra})
		_, err := usual.Verify(t.Context(), raw)
		wantOutcome(t, "size")(nil, err)
		if err != nil && !strings.Contains(err.Error(), "Config.MaxTokenBytes") {
			t.Errorf("%.300v does not name the field that mends it", err)
		}
		wantOutcome(t, "ok")(long.Verify(t.Context(), raw))
	}
}

// TestLargeAnswersAreReadOnce: what is above the usual size is kept as well, while
// there is room, so that a request with it costs no more than another.
func TestLargeAnswersAreReadOnce(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	for name, extra := range map[string]map[string]any{
		"15 KiB":              {"note": strings.Repeat("x", 15<<10)},
		"60 KiB":              {"note": strings.Repeat("x", 60<<10)},
		"many members":        {"authorization_details": manyObjects(6000)},
		"many scopes":         {"scope": distinctScopes(10_000)},
		"many audiences":      {"aud": append(strings.Split(distinctScopes(9000), " "), issuertest.Audience)},
		"escapes and scopes":  {"scope": distinctScopes(6000), "sub": strings.Repeat("\n", 10_000)},
		"a name of no scope":  {"scp": append(strings.Split(distinctScopes(5000), " "), "a b")},
		"more than one place": {"note": strings.Repeat("x", 40<<10), "scope": distinctScopes(3000)},
	} {
		for _, maxToken := range []int{0, 1 << 10} {
			v := newOpaque(t, iss, func(c *validator.Config) { c.MaxTokenBytes = maxToken })
			members := map[string]any{"active": true, "aud": issuertest.Audience}
			for name, value := range extra {
				members[name] = value
			}
			iss.SetFault(issuertest.Introspection, issuertest.Respond(200, http.Header{}, string(object(members))))
			first, err := v.Verify(t.Context(), "opaque")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if again, err := v.Verify(t.Context(), "opaque"); err != nil || again != first {
				t.Errorf("%s, MaxTokenBytes %d: %v; it was read again: %v", name, maxToken, err, again != first)
			}
		}
	}
}

func manyObjects(n int) []map[string]int {
	list := make([]map[string]int, n)
	for i := range list {
		list[i] = map[string]int{"": 0}
	}
	return list
}
