package hostile

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// answer is what the introspection endpoint says of one token.
type answer struct {
	status      int
	contentType string
	body        string
}

// answering makes the introspection endpoint say what is in the table, and of
// any other token that it is inactive.
func answering(answers map[string]answer) issuertest.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		a, ok := answers[r.PostForm.Get("token")]
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", a.contentType)
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body) // the client may have gone
	}
}

// active is a good answer about a good token.
func (b *builder) active() object {
	return append(object{{"active", "true"}, {"token_type", `"Bearer"`}}, b.claims()...)
}

// opaque returns a new token that the endpoint answers for with a.
func (b *builder) opaque(a answer) string {
	token := fmt.Sprintf("opaque~%04d.k3q9", len(b.answers))
	b.answers[token] = a
	return token
}

// answered is a token that the endpoint answers for with 200 and JSON.
func (b *builder) answered(body string) string {
	return b.opaque(answer{http.StatusOK, "application/json", body})
}

func (b *builder) introspectionAnswers() {
	b.config = Introspected
	b.refuse("a token that was never issued", "RFC 7662 §2.2", "never-issued", "active")
	b.refuse("a JWT that the endpoint does not know", "RFC 7662 §2.2", token(edHeader().with("kid", `"x"`), b.claims()), "active")
	b.refuse("a JWT without signature", "RFC 7662 §2.2; RFC 8725 §2.1", segment(`{"alg":"none"}`)+"."+segment(b.claims().String())+".", "active")

	for _, a := range []struct{ name, cite, body, want string }{
		{"inactive", "RFC 7662 §2.2", `{"active":false}`, "active"},
		{"inactive, and yet with everything", "RFC 7662 §2.2", b.active().with("active", "false").String(), "active"},
		{"active is a string", "RFC 7662 §2.2 (a boolean)", b.active().with("active", `"true"`).String(), "unavailable"},
		{"active is an empty string", "RFC 7662 §2.2 (a boolean)", b.active().with("active", `""`).String(), "unavailable"},
		{"active is 1", "RFC 7662 §2.2 (a boolean)", b.active().with("active", "1").String(), "unavailable"},
		{"active is null", "RFC 7662 §2.2 (a boolean)", b.active().with("active", "null").String(), "unavailable"},
		{"active is an array", "RFC 7662 §2.2 (a boolean)", b.active().with("active", "[true]").String(), "unavailable"},
		{"active is an object", "RFC 7662 §2.2 (a boolean)", b.active().with("active", `{"active":true}`).String(), "unavailable"},
		{"active is missing", "RFC 7662 §2.2 (required)", b.active().without("active").String(), "unavailable"},
		{"Active for active", "RFC 7662 §2.2; encoding/json folds case", b.active().without("active").and("Active", "true").String(), "unavailable"},
		{"active twice", "RFC 8259 §4; RFC 7493 §2.3", b.active().with("active", "false").and("active", "true").String(), "unavailable"},
		{"active one level down", "RFC 7662 §2.2", `{"token":` + b.active().String() + `}`, "unavailable"},
		{"empty", "RFC 7662 §2.2", "", "unavailable"},
		{"an empty object", "RFC 7662 §2.2", "{}", "unavailable"},
		{"an array", "RFC 7662 §2.2", "[" + b.active().String() + "]", "unavailable"},
		{"true", "RFC 7662 §2.2", "true", "unavailable"},
		{"a web page", "RFC 7662 §2.2", "<!DOCTYPE html><title>active: true</title>", "unavailable"},
		{"cut off", "RFC 8259 §4", b.active().String()[:100], "unavailable"},
		{"text after it", "RFC 8259 §2", b.active().String() + "x", "unavailable"},
		{"a second answer after it", "RFC 8259 §2", `{"active":false}` + b.active().String(), "unavailable"},
		{"a byte order mark before it", "RFC 8259 §8.1", "\ufeff" + b.active().String(), "unavailable"},
		{"not UTF-8", "RFC 8259 §8.1", b.active().and("x", "\"\xff\"").String(), "unavailable"},
		{"exp twice", "RFC 8259 §4", b.active().and("exp", "9999999999").String(), "unavailable"},
		{"16 arrays in each other", "RFC 8259 §9; CWE-674", b.active().and("x", strings.Repeat("[", 16)+strings.Repeat("]", 16)).String(), "unavailable"},
		{"60,000 arrays that nobody closes", "RFC 8259 §9; CWE-674", `{"active":true,"x":` + strings.Repeat("[", 60_000), "unavailable"},
		{"70,000 bytes", "CWE-770", b.active().and("x", quote(strings.Repeat("x", 70_000))).String(), "unavailable"},
		{"a JWT", "RFC 9701 §5", token(edHeader().with("typ", `"token-introspection+jwt"`), b.active()), "unavailable"},
	} {
		b.refuse("answer: "+a.name, a.cite, b.answered(a.body), a.want)
	}
	for _, status := range []int{201, 204, 301, 302, 307, 400, 401, 403, 404, 405, 410, 429, 500, 502, 503} {
		b.refuse(fmt.Sprintf("answer: everything right but the status %d", status), "RFC 7662 §2.2, §2.3; RFC 6749 §5.2",
			b.opaque(answer{status, "application/json", b.active().String()}), "unavailable")
	}

	for _, m := range []struct{ member, value, want string }{
		{"exp", seconds(-time.Hour), "exp"}, {"exp", seconds(-ClockSkew), "exp"}, {"exp", "0", "exp"},
		{"nbf", seconds(time.Hour), "nbf"}, {"nbf", seconds(ClockSkew + time.Second), "nbf"}, {"nbf", `"0"`, "nbf"},
		{"nbf", "-1", "nbf"},
		{"iat", `"0"`, "iat"},
		{"exp", `"9999999999"`, "unavailable"}, {"exp", "null", "unavailable"}, {"exp", "-1", "unavailable"},
		{"exp", "1e400", "unavailable"},
		{"iss", quote(b.issuer + "/"), "iss"}, {"iss", quote(b.canary), "iss"},
		{"iss", `"https://evil.example"`, "iss"}, {"iss", "[" + quote(b.issuer) + "]", "iss"},
		{"iss", "1", "iss"},
		{"aud", `"https://other.example.test"`, "aud"}, {"aud", `"https://api.example.test/"`, "aud"},
		{"aud", `[]`, "aud"}, {"aud", `""`, "aud"}, {"aud", "null", "aud"}, {"aud", "1", "aud"},
		{"aud", quote(issuertest.ClientID), "aud"},
		{"token_type", `"DPoP"`, "cnf"}, {"token_type", `"dpop"`, "cnf"},
		{"cnf", `{"jkt":"x"}`, "cnf"}, {"cnf", "null", "cnf"}, {"cnf", `{"x5t#S256":"x"}`, "cnf"},
		{"scope", "1", "claims"}, {"scp", `{}`, "claims"}, {"sub", "1", "claims"}, {"jti", "{}", "claims"},
		{"act", "null", "claims"}, {"authorization_details", "null", "claims"}, {"token_use", "null", "claims"},
	} {
		name := fmt.Sprintf("answer: %s is %s", m.member, m.value)
		b.refuse(name, "RFC 7662 §2.2, §4; RFC 7519 §4.1", b.answered(b.active().with(m.member, m.value).String()), m.want)
	}
	for _, name := range []string{"nbf", "iat", "iss", "sub", "client_id", "jti", "scp", "roles", "azp", "username", "acr"} {
		b.accept("answer: "+name+" is null", absentAsNull, b.answered(b.active().with(name, "null").String()))
	}
	for _, scope := range []string{"null", `"orders:read\u0000"`, `["orders:read "]`} {
		b.refuseRoute("answer: scope is "+scope, "RFC 7662 §2.2", b.answered(b.active().with("scope", scope).String()), "")
	}
	for _, scope := range []string{"orders:write", "", "orders orders:readonly"} {
		b.refuseRoute(fmt.Sprintf("answer: scope is %q", scope), "RFC 7662 §2.2; RFC 6750 §3.1",
			b.answered(b.active().with("scope", quote(scope)).String()), scope)
	}
	b.refuse("answer: no aud", "RFC 9700 §2.3", b.answered(b.active().without("aud").String()), "aud")
	b.refuse("answer: AUD for aud", "encoding/json folds case",
		b.answered(b.active().without("aud").and("AUD", quote(issuertest.Audience)).String()), "aud")
}

// noFallback are tokens that one proof refuses and the other would let pass:
// the endpoint calls every one of them active.
func (b *builder) noFallback() {
	b.config = Both
	const cite = "RFC 8725 §3.1; validator.Issuer (never tried with the other proof)"
	for _, c := range []struct{ name, token, want string }{
		{"bad signature", sign(edHeader().String(), b.claims().String(), foreignEd, "EdDSA"), "signature"},
		{"empty signature", segment(edHeader().String()) + "." + segment(b.claims().String()) + ".", "signature"},
		{"alg none", segment(edHeader().with("alg", `"none"`).String()) + "." + segment(b.claims().String()) + ".", "alg"},
		{"HMAC", mac("HS256", rsaKey, b.claims(), []byte(sharedSecret)), "alg"},
		{"unknown kid", token(edHeader().with("kid", `"made-up-too"`), b.claims()), "key"},
		{"expired", b.with("exp", seconds(-time.Hour)), "exp"},
		{"foreign audience", b.with("aud", `"https://other.example.test"`), "aud"},
		{"foreign issuer", b.with("iss", quote(b.canary)), "iss"},
		{"no issuer", b.without("iss"), "iss"},
		{"typ of another kind", b.headed("typ", `"logout+jwt"`), "typ"},
		{"crit", b.headed("crit", `["x"]`), "crit"},
		{"sender-bound", b.with("cnf", `{"jkt":"y"}`), "cnf"},
		{"a name twice", token(edHeader(), b.claims().and("scope", `"admin"`)), "json"},
		{"payload that is no JSON", sign(edHeader().String(), "opaque", edKey, "EdDSA"), "json"},
		{"payload that is no base64url", seal(segment(edHeader().String())+".!!!", edKey, "EdDSA"), "encoding"},
		{"padded signature", token(edHeader(), b.claims()) + "==", "encoding"},
	} {
		b.answers[c.token] = answer{http.StatusOK, "application/json", b.active().String()}
		b.refuse("a JWT that only the endpoint calls good: "+c.name, cite, c.token, c.want)
	}
	b.refuse("a JWT cut into opaque form, unknown to the endpoint", cite, strings.Replace(token(edHeader(), b.claims()), ".", "~", 1), "active")
	b.refuse("an opaque token that is revoked", "RFC 7662 §2.2", b.answered(`{"active":false,"scope":"orders:read"}`), "active")
	b.refuse("an opaque token for another API", cite, b.answered(b.active().with("aud", `"x"`).String()), "aud")
	b.refuse("an opaque token that the endpoint fails for", "RFC 7662 §2.3; oidc-provider answers so",
		b.opaque(answer{http.StatusBadRequest, "application/json", `{"error":"unsupported_token_type"}`}), "unavailable")
}
