package proofs

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// builder collects cases.
type builder struct {
	tokenFor func(string) string
	tokens   map[string]string // by thumbprint
	config   Config
	cases    []Case
	jti      int
}

// proof is a request in the making: a good one, unless something is changed in it.
type proof struct {
	header, claims object
	key, alg       string // what it is signed with
	method, url    string
	thumbprint     string
	token          string
}

// good is a proof that passes everything, with a jti of its own.
func (b *builder) good() *proof { return b.goodBy("p256-a", "ES256") }

func (b *builder) goodBy(key, alg string) *proof {
	b.jti++
	jwk := publicKey(key)
	p := &proof{key: key, alg: alg, method: Method, url: URL, thumbprint: thumbprint(jwk)}
	p.token = b.token(p.thumbprint)
	p.header = object{{"typ", `"dpop+jwt"`}, {"alg", quote(alg)}, {"jwk", jwk.String()}}
	p.claims = object{
		{"jti", quote(fmt.Sprintf("jti-%d", b.jti))}, {"htm", quote(Method)}, {"htu", quote(URL)},
		{"iat", fmt.Sprint(Now().Unix())}, {"ath", quote(hashOf(p.token))},
	}
	return p
}

func (b *builder) token(thumbprint string) string {
	if _, ok := b.tokens[thumbprint]; !ok {
		b.tokens[thumbprint] = b.tokenFor(thumbprint)
	}
	return b.tokens[thumbprint]
}

// head and claim change a member: its text is JSON, and "" takes it out.
func (p *proof) head(name, text string) *proof { p.header = p.header.with(name, text); return p }

func (p *proof) claim(name, text string) *proof { p.claims = p.claims.with(name, text); return p }

// raw is the proof, signed.
func (p *proof) raw() string { return sign(p.header.String(), p.claims.String(), p.key, p.alg) }

// add adds a case for the request of p with any field lines.
func (b *builder) add(name, cite, want string, p *proof, lines ...string) {
	b.cases = append(b.cases, Case{
		Name: name, Cite: cite, Config: b.config, Now: Now(), Want: want, Proofs: lines,
		Method: p.method, URL: p.url, Token: p.token, Thumbprint: p.thumbprint,
	})
}

// refuse adds p as it is, which the check want refuses.
func (b *builder) refuse(name, cite, want string, p *proof) { b.add(name, cite, want, p, p.raw()) }

// accept adds p as it is.
func (b *builder) accept(name, cite string, p *proof) { b.add(name, cite, "", p, p.raw()) }

// after adds proofs that are sent before the last case's.
func (b *builder) after(prior ...string) { b.cases[len(b.cases)-1].Prior = prior }

// at has the last case judged at another time.
func (b *builder) at(now time.Time) { b.cases[len(b.cases)-1].Now = now }

// object is a JSON object with its members in order, and any text for values.
type object []member

type member struct{ name, text string }

func (o object) String() string {
	var s strings.Builder
	for n, m := range o {
		if n > 0 {
			s.WriteByte(',')
		}
		s.WriteString(quote(m.name) + ":" + m.text)
	}
	return "{" + s.String() + "}"
}

// with has one member more, another in its place, or, where text is empty, one less.
func (o object) with(name, text string) object {
	var changed object
	found := false
	for _, m := range o {
		if m.name == name {
			if found = true; text == "" {
				continue
			}
			m.text = text
		}
		changed = append(changed, m)
	}
	if !found && text != "" {
		changed = append(changed, member{name, text})
	}
	return changed
}

// and has a member more, whatever others there are.
func (o object) and(name, text string) object {
	return append(append(object(nil), o...), member{name, text})
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("proofs: " + err.Error())
	}
	return string(quoted)
}
