package validator_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sloppy makes the introspection endpoint call every token active, whatever is
// wrong with it, and returns how often it was asked.
func sloppy(iss *issuertest.Issuer) (asked func() int) {
	answer := object(map[string]any{"active": true, "aud": issuertest.Audience, "scope": "orders:read"})
	iss.SetFault(issuertest.Introspection, issuertest.Respond(200, http.Header{"Content-Type": {"application/json"}}, string(answer)))
	before := iss.Requests(issuertest.Introspection)
	return func() int { return iss.Requests(issuertest.Introspection) - before }
}

// asking are the configurations that ask an issuer about some tokens.
func asking(t *testing.T, iss, other *issuertest.Issuer) map[string]*validator.Validator {
	return map[string]*validator.Validator{
		"introspected only":              newMany(t, answersOf(iss)),
		"introspected, beside another":   newMany(t, answersOf(iss), keysOf(other)),
		"keys and introspection":         newMany(t, bothOf(iss)),
		"OpaqueIssuer":                   newChoosing(t, byPrefix(map[string]string{"": iss.URL()}), answersOf(iss), bothOf(other)),
		"keys and introspection, chosen": newChoosing(t, byPrefix(map[string]string{"": iss.URL()}), bothOf(iss), answersOf(other)),
	}
}

// TestWhatReadsAsJOSEIsNeverOpaque: a twin of a JWT that only a lenient reader
// takes is shown to nobody. Servers that forget empty parts or padding would call
// it active, and what JWTs are held to would not be asked of it.
func TestWhatReadsAsJOSEIsNeverOpaque(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	good := iss.Token(issuertest.Claims{Scope: "orders:read"})
	p := strings.Split(good, ".")
	header, err := base64.RawURLEncoding.DecodeString(p[0])
	if err != nil {
		t.Fatal(err)
	}
	claims, err := base64.RawURLEncoding.DecodeString(p[1])
	if err != nil {
		t.Fatal(err)
	}
	rest := "." + p[1] + "." + p[2]
	withHeader := func(text string) string { return b64(text) + rest }
	withPayload := func(text string) string { return p[0] + "." + b64(text) + "." + p[2] }
	object := strings.TrimSuffix(string(header), "}")
	twins := map[string]string{
		"a dot at its end": good + ".", "two dots": good + "..", "many dots": good + strings.Repeat(".", 100),
		"a dot before it": "." + good, "dots around it": "." + good + ".",
		"padding": good + "=", "more padding": good + "===",
		"a part more": good + ".x", "three parts more": good + "." + p[1] + "." + p[2] + ".x", "twice": good + "." + good,
		"one part": p[0], "one part, padded": p[0] + "=", "two parts": p[0] + "." + p[1], "no signature, and no dot for it": p[0] + "." + p[1],
		"a header alone with dots": p[0] + "..", "five parts": good + "." + p[1] + "." + p[2], "five parts, two empty": good + "..",

		"a part of nothing before it": "~." + good, "another": "A." + good, "a blank before it": "IA." + good,
		"a foreign character, and a dot at its end": p[0] + "~AAAA" + rest + ".", "and two dots": p[0] + "~AAAA" + rest + "..",
		"a no-break space":                withHeader("\u00a0" + string(header)),
		"a paragraph separator":           withHeader("\u2029" + string(header)),
		"an octal escape":                 withHeader(`{"\141lg":"EdDSA",}`),
		"a line that goes on":             withHeader("{\"a\\\nlg\":\"EdDSA\",}"),
		"a no-break space before a colon": withHeader("{\"alg\"\u00a0:\"EdDSA\",}"),

		"a foreign character in the header": p[0][:4] + "~" + p[0][4:] + rest,
		"a letter more in the header":       strings.TrimRight(p[0], "=") + strings.Repeat("A", 1+(4-len(p[0])%4)%4) + rest,
		"a byte order mark":                 withHeader("\ufeff" + string(header)),
		"text after the header":             withHeader(string(header) + "x"),
		"a comment before the header":       withHeader("/**/" + string(header)),
		"a header cut off":                  withHeader(object),
		"a name twice in the header":        withHeader(object + `,"typ":"JWT"}`),
		"alg twice":                         withHeader(object + `,"alg":"none"}`),
		"alg null":                          withHeader(`{"alg":null}`),
		"ALG for alg":                       withHeader(`{"ALG":"EdDSA"}`),
		"typ null":                          withHeader(`{"alg":"EdDSA","typ":null}`),
		"crit null":                         withHeader(object + `,"crit":null}`),
		"crit":                              withHeader(object + `,"crit":["exp"]}`),
		"b64 null":                          withHeader(object + `,"b64":null}`),
		"b64":                               withHeader(object + `,"b64":false}`),
		"kid no string":                     withHeader(`{"alg":"EdDSA","kid":1}`),

		"a payload of null": withPayload("null"), "an empty payload": withPayload(""), "an array": withPayload("[]"), "a number": withPayload("1"),
		"true": withPayload("true"), "a string": withPayload(`"x"`), "an array of claims": withPayload("[" + string(claims) + "]"),
		"a payload with a name twice":      withPayload(strings.TrimSuffix(string(claims), "}") + `,"scope":"admin"}`),
		"a payload that is not UTF-8":      withPayload("{\"iss\":\"\xff\"}"),
		"a payload with a lone surrogate":  withPayload(`{"iss":"\ud800"}`),
		"a payload cut off":                withPayload(strings.TrimSuffix(string(claims), "}")),
		"a payload with text after it":     withPayload(string(claims) + "x"),
		"a payload with a byte order mark": withPayload("\ufeff" + string(claims)),
		"a payload that nests deeply":      withPayload(`{"x":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + "}"),
		"a payload of many members":        withPayload(manyMembers(1000)),
		"a payload that is no base64url":   p[0] + ".!!!." + p[2],
		"a letter more in the payload":     p[0] + "." + p[1] + strings.Repeat("A", 1+(4-len(p[1])%4)%4) + "." + p[2],
		"a foreign character in it":        p[0] + "." + p[1][:4] + "~" + p[1][4:] + "." + p[2],
		"a foreign character at the end":   good + "~",
		"a null where none may be":         withPayload(strings.TrimSuffix(string(claims), "}") + `,"act":null}`),
	}
	for name, v := range asking(t, iss, other) {
		for twin, raw := range twins {
			asked := sloppy(iss)
			for _, verify := range []func() (*validator.Token, error){
				func() (*validator.Token, error) { return v.Verify(t.Context(), raw) },
				func() (*validator.Token, error) { return v.VerifyFresh(t.Context(), raw, 0) },
			} {
				switch got := outcome(verify()); got {
				case "shape", "encoding", "json", "alg", "crit", "claims", "request", "size":
				default:
					t.Errorf("%s: %s: %s, wanted a refusal of its form", name, twin, got)
				}
			}
			if n := asked(); n != 0 {
				t.Errorf("%s: %s was shown to the issuer", name, twin)
			}
		}
	}
	if n := other.Requests(issuertest.Introspection); n != 0 {
		t.Errorf("%d tokens were shown to another issuer", n)
	}
}

func manyMembers(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `,"%x":0`, i)
	}
	return "{" + s.String()[1:] + "}"
}

// TestOtherTextsWithDotsAreOpaque, and are asked about.
func TestOtherTextsWithDotsAreOpaque(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	payload := b64(`{"iss":"https://id.example.com"}`)
	for name, v := range asking(t, iss, other) {
		for _, raw := range []string{
			"opaque", "ory_at_x.y", "a.b.c", "a.b.c.d.e", "a..", "...", "v4.public." + payload,
			b64(`{"user":1}`) + ".ZxY.c2ln", b64(`{}`) + "." + payload + ".c2ln", b64(`{"typ":"JWT","kid":"k"}`) + "." + payload + ".c2ln",
			b64(`[]`) + "." + payload + ".c2ln", b64(`null`) + "." + payload + ".c2ln", b64(`"alg"`) + "." + payload + ".c2ln",
			b64("{\x93\x01") + ".b.c", payload, payload + ".x",
		} {
			asked := sloppy(iss)
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
			if asked() != 1 {
				t.Errorf("%s: nobody was asked about %q", name, raw)
			}
		}
	}
}

// TestWellFormedJWTsAreAskedAbout where their issuer is introspected only.
func TestWellFormedJWTsAreAskedAbout(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	claims := string(object(map[string]any{"iss": iss.URL()}))
	for _, v := range []*validator.Validator{newMany(t, answersOf(iss)), newMany(t, answersOf(iss), keysOf(other))} {
		for _, raw := range []string{
			iss.Token(issuertest.Claims{}),
			b64(`{"alg":"none"}`) + "." + b64(claims) + ".",
			b64(`{"alg":"HS256","kid":null}`) + "." + b64(claims) + ".c2ln",
			b64("{ \"typ\":\"x\", \"alg\" : \"made-up\"}\n") + "." + b64(" "+claims+"\n") + ".c2ln",
		} {
			asked := sloppy(iss)
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
			if asked() != 1 {
				t.Errorf("nobody was asked about %q", raw)
			}
		}
	}
	// The payload says what only the issuer can judge.
	v := newMany(t, answersOf(iss))
	for _, payload := range []string{`{}`, `{"iss":"https://other.example.com"}`, `{"exp":1}`, `{"exp":null,"sub":7,"aud":{}}`, `{"nbf":"x"}`} {
		asked := sloppy(iss)
		wantOutcome(t, "ok")(v.Verify(t.Context(), b64(`{"alg":"RS256"}`)+"."+b64(payload)+".c2ln"))
		if asked() != 1 {
			t.Errorf("nobody was asked about %s", payload)
		}
	}
}

// TestTwinsAreNotActiveTokens: one token has thousands of twins at a server that
// drops trailing dots, and each would take the place of somebody else's token.
func TestTwinsAreNotActiveTokens(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	iss.SetFault(issuertest.Introspection, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r.PostForm.Set("token", strings.TrimRight(r.PostForm.Get("token"), ".="))
		next.ServeHTTP(w, r)
	})
	v := newOpaque(t, iss)
	good := iss.Token(issuertest.Claims{})
	wantOutcome(t, "ok")(v.Verify(t.Context(), good))
	for n := range 500 {
		wantOutcome(t, "shape")(v.Verify(t.Context(), good+strings.Repeat(".", n+1)))
	}
	wantRequests(t, iss, issuertest.Introspection, 1)
}

// TestEncryptedTokens go where opaque ones go, and are called what they are where
// nobody can tell what they say.
func TestEncryptedTokens(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	encrypted := b64(`{"alg":"RSA-OAEP","enc":"A256CBC-HS512","kid":"enc","typ":"at+jwt"}`) + ".a2V5.aXY.Y2lwaGVy.dGFn"
	for name, v := range asking(t, iss, other) {
		asked := sloppy(iss)
		wantOutcome(t, "ok")(v.Verify(t.Context(), encrypted))
		if asked() != 1 {
			t.Errorf("%s: the issuer was not asked", name)
		}
	}
	for name, v := range map[string]*validator.Validator{
		"keys alone":                           newMany(t, keysOf(iss)),
		"chosen for nobody":                    newChoosing(t, byPrefix(nil), bothOf(iss)),
		"chosen for an issuer with keys alone": newChoosing(t, byPrefix(map[string]string{"": other.URL()}), bothOf(iss), keysOf(other)),
	} {
		_, err := v.Verify(t.Context(), encrypted)
		wantCheck(t, err, validator.ErrInvalidToken, validator.CheckShape)
		said := err.(*validator.Error).Description()
		if !strings.Contains(said, "encrypted") || !strings.Contains(err.Error(), "is encrypted (a JWE, RFC 7516)") {
			t.Errorf("%s: %q, %v: it does not say that the token is encrypted", name, said, err)
		}
		_, err = v.Verify(t.Context(), "opaque")
		if said := err.(*validator.Error).Description(); strings.Contains(said, "encrypted") {
			t.Errorf("%s: an opaque token is called encrypted: %q", name, said)
		}
	}
}

// TestBoundJWTsOfIntrospectedIssuers: a JWT's own cnf counts where the answer
// leaves it out. It cannot be trusted, but it can refuse.
func TestBoundJWTsOfIntrospectedIssuers(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	for _, v := range []*validator.Validator{newMany(t, answersOf(iss)), newMany(t, answersOf(iss), keysOf(other)), newMany(t, bothOf(iss))} {
		for _, cnf := range []any{map[string]any{"x5t#S256": "abc"}, map[string]any{"jkt": "abc"}, map[string]any{}, json.RawMessage("null"), "x", false} {
			sloppy(iss)
			raw := iss.Token(issuertest.Claims{Extra: map[string]any{"cnf": cnf}})
			if cnf, null := cnf.(json.RawMessage); null { // the fake issuer leaves null out
				raw = iss.Sign(object(map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA")}),
					object(map[string]any{"iss": iss.URL(), "aud": issuertest.Audience, "exp": int64(9_999_999_999), "cnf": cnf}), "EdDSA")
			}
			for range 2 {
				wantOutcome(t, "cnf")(v.Verify(t.Context(), raw))
				wantOutcome(t, "cnf")(v.VerifyFresh(t.Context(), raw, 0))
			}
		}
		sloppy(iss)
		wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{Extra: map[string]any{"x": map[string]any{"cnf": 1}}})))
	}
	// What the endpoint calls inactive is that, bound or not.
	iss.ClearFaults()
	raw := iss.Token(issuertest.Claims{Extra: map[string]any{"cnf": map[string]any{"jkt": "abc"}}})
	iss.Revoke(raw)
	wantOutcome(t, "active")(newMany(t, answersOf(iss)).Verify(t.Context(), raw))
}

// TestPaddedTokens: AWS's load balancer pads what it calls a JWT.
func TestPaddedTokens(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	pad := base64.URLEncoding.EncodeToString
	raw := pad([]byte(`{"alg":"ES256","kid":"x"}`)) + "." + pad([]byte(`{"sub":"x"} `)) + ".c2ln"
	if !strings.Contains(strings.TrimRight(raw, "="), "=") {
		t.Fatal("nothing is padded in the middle")
	}
	for _, v := range []*validator.Validator{newMany(t, keysOf(iss)), newMany(t, bothOf(iss)), newMany(t, answersOf(iss))} {
		_, err := v.Verify(t.Context(), raw)
		wantCheck(t, err, validator.ErrInvalidRequest, validator.CheckRequest)
		if !strings.Contains(err.Error(), "padded base64") {
			t.Errorf("%v does not say what is wrong", err)
		}
	}
	_, err := newMany(t, keysOf(iss)).Verify(t.Context(), "a b=c")
	if err == nil || strings.Contains(err.Error(), "padded") {
		t.Errorf("%v, and a space is no padding", err)
	}
}
