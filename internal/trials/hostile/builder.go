package hostile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// builder collects cases.
type builder struct {
	issuer  string // its URL
	canary  string // a URL that nobody may ask
	config  Config // of the cases to come
	cases   []Case
	answers map[string]answer
}

// refuse adds a token that the check want refuses. What is no b64token is
// refused for that, whatever else is wrong with it.
func (b *builder) refuse(name, cite, token, want string) {
	if len(token) <= MaxTokenBytes && !b64token.MatchString(token) {
		want = "request"
	}
	b.cases = append(b.cases, Case{Name: name, Cite: cite, Config: b.config, Token: token, Want: want})
}

// refuseRoute adds a token that is good, and grants exactly scopes, none of
// which is Scope.
func (b *builder) refuseRoute(name, cite, token, scopes string) {
	b.cases = append(b.cases, Case{Name: name, Cite: cite, Config: b.config, Token: token, Want: "scope", Scopes: scopes})
}

// accept adds a token that is good and grants Scope alone.
func (b *builder) accept(name, cite, token string) { b.acceptFor(name, cite, token, Scope) }

// acceptFor adds a token that is good and grants exactly scopes.
func (b *builder) acceptFor(name, cite, token, scopes string) {
	b.cases = append(b.cases, Case{Name: name, Cite: cite, Config: b.config, Token: token, Scopes: scopes})
}

// object is a JSON object whose every byte is chosen: members in order, names
// perhaps twice, values as JSON text or as what only looks like it.
type object []member

type member struct{ name, value string }

// with returns o with the value of a member replaced, or a member added.
func (o object) with(name, value string) object {
	out := append(object(nil), o...)
	for i := range out {
		if out[i].name == name {
			out[i].value = value
			return out
		}
	}
	return append(out, member{name, value})
}

// and returns o with one more member, whatever is there already.
func (o object) and(name, value string) object {
	return append(append(object(nil), o...), member{name, value})
}

func (o object) without(name string) object {
	var out object
	for _, m := range o {
		if m.name != name {
			out = append(out, m)
		}
	}
	return out
}

func (o object) String() string {
	var s strings.Builder
	for i, m := range o {
		fmt.Fprintf(&s, `%s"%s":%s`, []string{"{", ","}[min(i, 1)], m.name, m.value)
	}
	if len(o) == 0 {
		s.WriteString("{")
	}
	return s.String() + "}"
}

// header is that of a good token.
func header(alg, kid string) object {
	return object{{"alg", quote(alg)}, {"kid", quote(kid)}, {"typ", `"at+jwt"`}}
}

// edHeader is the header of the token that most cases spoil: the verification
// of its signature costs least.
func edHeader() object { return header("EdDSA", edKey) }

// claims are those of a token that is good in every configuration.
func (b *builder) claims() object {
	return object{
		{"iss", quote(b.issuer)},
		{"sub", quote(issuertest.ClientID)},
		{"client_id", quote(issuertest.ClientID)},
		{"aud", quote(issuertest.Audience)},
		{"iat", seconds(0)},
		{"exp", seconds(time.Hour)},
		{"jti", `"1f0a5c"`},
		{"scope", quote(Scope)},
	}
}

// with is a token with one claim changed or added, and the signature right.
func (b *builder) with(name, value string) string {
	return token(edHeader(), b.claims().with(name, value))
}

// without is a token without one of the claims, and the signature right.
func (b *builder) without(name string) string { return token(edHeader(), b.claims().without(name)) }

// headed is a token with one member of the header changed or added, and the
// signature right.
func (b *builder) headed(name, value string) string {
	return token(edHeader().with(name, value), b.claims())
}

// seconds is a NumericDate relative to Now.
func seconds(d time.Duration) string { return fmt.Sprint(Now().Add(d).Unix()) }

// b64token is what a bearer token may look like (RFC 6750 §2.1).
var b64token = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// quote writes a JSON string.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic("hostile: " + err.Error())
	}
	return string(text)
}

// segment encodes one part of a compact serialization.
func segment[T ~string | ~[]byte](data T) string {
	return base64.RawURLEncoding.EncodeToString([]byte(data))
}
