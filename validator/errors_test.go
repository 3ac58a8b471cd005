package validator_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// sentinels are all that an error can be.
var sentinels = map[error]string{ // and their codes in RFC 6750 §3.1
	validator.ErrMissingToken:      "",
	validator.ErrInvalidRequest:    "invalid_request",
	validator.ErrInvalidToken:      "invalid_token",
	validator.ErrInsufficientScope: "insufficient_scope",
	validator.ErrDenied:            "",
	validator.ErrThrottled:         "",
	validator.ErrUnavailable:       "",
}

// kinds is the sentinel of each check.
var kinds = map[validator.Check]error{
	validator.CheckMissing: validator.ErrMissingToken, validator.CheckRequest: validator.ErrInvalidRequest,
	validator.CheckSize: validator.ErrInvalidToken, validator.CheckShape: validator.ErrInvalidToken,
	validator.CheckEncoding: validator.ErrInvalidToken, validator.CheckJSON: validator.ErrInvalidToken,
	validator.CheckCritical: validator.ErrInvalidToken, validator.CheckIssuer: validator.ErrInvalidToken,
	validator.CheckType: validator.ErrInvalidToken, validator.CheckAlgorithm: validator.ErrInvalidToken,
	validator.CheckExpiry: validator.ErrInvalidToken, validator.CheckNotBefore: validator.ErrInvalidToken,
	validator.CheckIssuedAt: validator.ErrInvalidToken, validator.CheckAudience: validator.ErrInvalidToken,
	validator.CheckClaims: validator.ErrInvalidToken, validator.CheckBinding: validator.ErrInvalidToken,
	validator.CheckProof: validator.ErrInvalidToken, validator.CheckNonce: validator.ErrInvalidToken, validator.CheckHost: validator.ErrInvalidRequest,
	validator.CheckClient: validator.ErrInvalidToken, validator.CheckApp: validator.ErrInvalidToken,
	validator.CheckKey: validator.ErrInvalidToken, validator.CheckSignature: validator.ErrInvalidToken,
	validator.CheckActive: validator.ErrInvalidToken, validator.CheckRevoked: validator.ErrInvalidToken, validator.CheckScope: validator.ErrInsufficientScope,
	validator.CheckPolicy:      validator.ErrDenied,
	validator.CheckShare:       validator.ErrThrottled,
	validator.CheckUnavailable: validator.ErrUnavailable,
}

// errorDescription reports whether s may stand in error_description (RFC 6750
// §3): %x20-21 / %x23-5B / %x5D-7E.
func errorDescription(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c > 0x7e || c == '"' || c == '\\' })
}

// sentences are what each check may say to a client, from the source.
func sentences(t *testing.T) map[validator.Check][]string {
	t.Helper()
	var source []byte
	for _, name := range []string{"errors.go", "flaw.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	all := make(map[validator.Check][]string)
	for _, c := range regexp.MustCompile(`(Check\w+) +Check += "(\w+)"`).FindAllSubmatch(source, -1) {
		said := regexp.MustCompile(`\b` + string(c[1]) + `(?:, \w+\})?: +\{Err\w+, "([^"]*)"`)
		for _, s := range said.FindAllSubmatch(source, -1) {
			all[validator.Check(c[2])] = append(all[validator.Check(c[2])], string(s[1]))
		}
	}
	return all
}

// codes are those of checks that have one of their own (RFC 9449 §7.1).
var codes = map[validator.Check]string{validator.CheckProof: "invalid_dpop_proof", validator.CheckNonce: "use_dpop_nonce"}

// checkError looks at what is the same for all errors.
func checkError(t *testing.T, e *validator.Error) {
	t.Helper()
	kind, ok := kinds[e.Check()]
	if !ok {
		t.Fatalf("check %q is not in the table", e.Check())
	}
	for sentinel, code := range sentinels {
		if is := errors.Is(e, sentinel); is != (sentinel == kind) {
			t.Errorf("%s: errors.Is %v: %v", e.Check(), sentinel, is)
		}
		if sentinel == kind && e.Code() != cmp.Or(codes[e.Check()], code) {
			t.Errorf("%s: code %q, wanted %q", e.Check(), e.Code(), code)
		}
	}
	if !errorDescription(e.Description()) {
		t.Errorf("%s: description %q", e.Check(), e.Description())
	}
	text := e.Error()
	if begin := fmt.Sprintf("validator: %v: %s", kind, e.Check()); !strings.HasPrefix(text, begin) {
		t.Errorf("%s does not begin %s", text, begin)
	}
	if !strings.HasSuffix(text, ")") {
		t.Errorf("%s does not say where to mend it", text)
	}
	if kind == validator.ErrUnavailable {
		text = strings.ReplaceAll(text, "\n", " ") // a line for each of several causes
	}
	if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
		t.Errorf("%q is not printable", text)
	}
	if len(text) > 1000 {
		t.Errorf("a message of %d bytes: %.100q…", len(text), text)
	}
	if scope := e.Scope(); scope != "" && kind != validator.ErrInsufficientScope {
		t.Errorf("%s: scope %q", e.Check(), scope)
	}
	if after := e.RetryAfter(); after != 0 && kind != validator.ErrUnavailable && kind != validator.ErrThrottled {
		t.Errorf("%s: RetryAfter %v", e.Check(), after)
	}
}

func TestNewError(t *testing.T) {
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`Check\w+ +Check += "(\w+)"`).FindAllSubmatch(source, -1) {
		if check := validator.Check(found[1]); kinds[check] == nil {
			t.Errorf("check %q has no row in kinds, in this file: its sentinel goes there, and a token that fails it into TestErrorOfEachCheck", check)
		}
	}
	for check := range kinds {
		e := validator.NewError(check)
		if e.Check() != check || errors.Unwrap(e) != nil {
			t.Errorf("NewError(%q) is of check %q with cause %v", check, e.Check(), errors.Unwrap(e))
		}
		checkError(t, e)
	}
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, `NewError("no such")`) {
			t.Errorf("panicked with %s", p)
		}
	}()
	validator.NewError("no such")
	t.Error("made an error of no check")
}

// TestErrorOfEachCheck makes every check fail and reads what is said for logs:
// what was found, what was wanted, where to mend it.
func TestErrorOfEachCheck(t *testing.T) {
	iss := issuertest.New(t)
	with := func(header map[string]any, name string, value any) string {
		members := map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA"), "typ": "at+jwt"}
		for name, value := range header {
			members[name] = value
		}
		claims := goodClaims(iss, noon)
		claims[name] = value
		return iss.Sign(object(members), object(claims), "EdDSA")
	}
	now := func(c *validator.Config) { c.Now = func() time.Time { return noon } }
	plain := newJWT(t, iss, now)
	choosy := newJWT(t, iss, now, func(c *validator.Config) {
		c.Issuers[0].Profile = validator.RFC9068()
		c.Issuers[0].Clients = []string{"billing"}
	})
	appOnly := newJWT(t, iss, now, func(c *validator.Config) {
		c.Issuers[0].Profile = validator.Profile{App: validator.SubjectIsClient}
		c.Issuers[0].AppOnly = true
	})
	asked := newOpaque(t, iss, now)
	dead := issuertest.New(t)
	down := newJWT(t, dead, now)
	dead.Close()

	for _, tc := range []struct {
		check validator.Check
		v     *validator.Validator
		raw   string
		says  []string
	}{
		{validator.CheckMissing, plain, "", []string{"Authorization: Bearer"}},
		{validator.CheckSize, plain, strings.Repeat("x", 20_000), []string{"20000 bytes", "at most 16384", "Config.MaxTokenBytes"}},
		{validator.CheckShape, plain, "opaque", []string{"no JWT", "Issuer.Introspection"}},
		{validator.CheckEncoding, plain, with(nil, "x", 1) + "=", []string{"the signature", "base64url", "RFC 7515"}},
		{validator.CheckJSON, plain, iss.Sign([]byte(`{"alg":"EdDSA"}`), []byte(`{`), "EdDSA"), []string{"the payload", "JSON"}},
		{validator.CheckCritical, plain, with(map[string]any{"crit": []string{"exp"}}, "x", 1), []string{"crit", "RFC 7515 §4.1.11"}},
		{validator.CheckIssuer, plain, with(nil, "iss", "https://evil.example"), []string{`got ["https://evil.example"]`, `wanted ["` + iss.URL() + `"]`, "Issuer.URL"}},
		{validator.CheckType, choosy, with(map[string]any{"typ": "JWT"}, "x", 1), []string{`got ["JWT"]`, `wanted ["at+jwt"]`, "Issuer.Profile"}},
		{validator.CheckAlgorithm, plain, with(map[string]any{"alg": "none"}, "x", 1), []string{`got ["none"]`, `"RS256"`, "Issuer.Algorithms"}},
		{validator.CheckExpiry, plain, with(nil, "exp", noon.Add(-time.Hour).Unix()), []string{"expired 2026-03-01T11:00:00Z", "now 2026-03-01T12:00:00Z", "Config.ClockSkew"}},
		{validator.CheckExpiry, plain, with(nil, "exp", nil), []string{"no exp"}},
		{validator.CheckNotBefore, plain, with(nil, "nbf", noon.Add(time.Hour).Unix()), []string{"not before 2026-03-01T13:00:00Z", "now 2026-03-01T12:00:00Z"}},
		{validator.CheckIssuedAt, plain, with(nil, "iat", "today"), []string{"iat", "NumericDate", "RFC 7519"}},
		{validator.CheckAudience, plain, with(nil, "aud", "https://evil.example"), []string{`got ["https://evil.example"]`, `wanted ["` + issuertest.Audience + `"]`, "Issuer.Audience"}},
		{validator.CheckAudience, plain, with(nil, "aud", nil), []string{"names none", `wanted ["` + issuertest.Audience + `"]`}},
		{validator.CheckBinding, plain, with(nil, "cnf", map[string]any{"jkt": "x"}), []string{"cnf", "RFC 7800", "DPoP"}},
		{validator.CheckClaims, choosy, with(nil, "jti", nil), []string{`"jti"`, "missing", "Issuer.Profile"}},
		{validator.CheckClient, choosy, with(nil, "client_id", "evil"), []string{`got ["evil"]`, `wanted ["billing"]`, "Issuer.Clients"}},
		{validator.CheckApp, appOnly, with(nil, "sub", "alice"), []string{`"alice"`, "Issuer.AppOnly"}},
		{validator.CheckKey, plain, with(map[string]any{"kid": "unheard-of"}, "x", 1), []string{`"unheard-of"`, "Issuer.Keys"}},
		{validator.CheckSignature, plain, iss.Bad(issuertest.OtherKey, issuertest.Claims{IssuedAt: noon}), []string{"does not verify"}},
		{validator.CheckActive, asked, "made-up", []string{"active: false", "revoked"}},
		{validator.CheckUnavailable, down, dead.Token(issuertest.Claims{IssuedAt: noon}), []string{dead.URL() + "/.well-known/openid-configuration", "connect"}},
	} {
		t.Run(string(tc.check), func(t *testing.T) {
			_, err := tc.v.Verify(t.Context(), tc.raw)
			e, ok := err.(*validator.Error)
			if !ok || e.Check() != tc.check {
				t.Fatalf("%T: %v, wanted check %s", err, err, tc.check)
			}
			checkError(t, e)
			if !slices.Contains(sentences(t)[tc.check], e.Description()) {
				t.Errorf("description %q is not constant", e.Description())
			}
			for _, part := range tc.says {
				if !strings.Contains(e.Error(), part) {
					t.Errorf("%v does not say %s", e, part)
				}
			}
		})
	}

	token, err := plain.Verify(t.Context(), with(nil, "x", 1))
	if err != nil {
		t.Fatal(err)
	}
	e := token.Check(scopes.All("orders:write", "orders:read")).(*validator.Error)
	checkError(t, e)
	if text := e.Error(); !strings.Contains(text, `got ["orders:read"]`) || !strings.Contains(text, `wanted ["orders:write orders:read"]`) {
		t.Errorf("%v does not say what was found and what was wanted", e)
	}
}

// TestHostileValuesInErrors sends what would forge log lines, redraw a terminal
// or fill a disk, in every claim and header that errors quote.
func TestHostileValuesInErrors(t *testing.T) {
	iss := issuertest.New(t)
	hostile := "evil\n2026-03-01 level=INFO msg=\"let in\"\r\x1b[2J\u202e\u2028\x00é" + strings.Repeat("x", 5000)
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("%d %s", i, hostile[:40])
	}
	v := newJWT(t, iss, func(c *validator.Config) {
		c.MaxTokenBytes = 1 << 20
		c.Issuers[0].Profile = validator.Profile{Require: []string{"gty"}, Match: map[string][]string{"tid": {"acme"}}, App: validator.SubjectIsClient}
		c.Issuers[0].Clients, c.Issuers[0].AppOnly = []string{"svc"}, true
	})
	asked := newOpaque(t, iss, func(c *validator.Config) { c.Issuers[0].Introspection.MaxResponseBytes = 1 << 20 })
	good := func() map[string]any {
		claims := goodClaims(iss, time.Now())
		claims["gty"], claims["tid"] = "x", "acme"
		return claims
	}
	header := func(name string, value any) string {
		members := map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA"), "typ": "JWT"}
		members[name] = value
		return iss.Sign(object(members), object(good()), "EdDSA")
	}
	claim := func(name string, value any) string {
		claims := good()
		claims[name] = value
		return signed(iss, claims)
	}
	wantOutcome(t, "ok")(v.Verify(t.Context(), claim("x", 1)))
	for _, tc := range []struct {
		check string
		v     *validator.Validator
		raw   string
	}{
		{"typ", v, header("typ", hostile)},
		{"alg", v, header("alg", hostile)},
		{"key", v, header("kid", hostile)},
		{"iss", v, claim("iss", hostile)},
		{"aud", v, claim("aud", hostile)},
		{"aud", v, claim("aud", many)},
		{"client", v, claim("client_id", hostile)},
		{"app", v, claim("sub", hostile)},
		{"claims", v, claim("tid", hostile)},
		{"claims", v, claim("scope", []any{hostile, 7})},
		{"iss", asked, iss.Opaque(issuertest.Claims{Issuer: hostile})},
		{"aud", asked, iss.Opaque(issuertest.Claims{Audience: many})},
	} {
		_, err := tc.v.Verify(t.Context(), tc.raw)
		if got := outcome(nil, err); got != tc.check {
			t.Errorf("%s: %.300v, wanted %s", got, err, tc.check)
			continue
		}
		checkError(t, err.(*validator.Error))
	}

	// Scopes are printable by their own rules, but may be many.
	token, err := v.Verify(t.Context(), claim("scope", strings.Repeat("scope-of-some-length-", 100)+" "+strings.Join(strings.Fields(fmt.Sprint(make([]int, 900))), " s")))
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, token.Check(scopes.All("other")).(*validator.Error))
}

// TestCauses shows that what is behind an outage can be told apart.
func TestCauses(t *testing.T) {
	iss := issuertest.New(t)
	iss.SetFault(issuertest.Introspection, issuertest.Unauthorized())
	_, err := newOpaque(t, iss).Verify(t.Context(), "opaque")
	cause, ok := errors.AsType[*introspection.UnavailableError](err)
	if !ok || cause.Status != 401 {
		t.Errorf("%v does not hold the answer's status", err)
	}
}
