// Package reuse measures the verified-token cache under many distinct tokens of
// which a few are used often: how often it hits compared with an ideal cache,
// what hits and misses cost, and how much memory it takes.
package reuse

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
)

// Population is many tokens that differ in their jti alone. It keeps their
// signatures and puts a token together when it is asked for, so that a million
// of them take 90 MB and no place in what is measured.
type Population struct {
	header     string // the first segment, with its dot
	payload    []byte // the claims of one of them
	id         int    // where the jti begins in payload
	signatures []byte // one after the other, in base64url
	size       int
}

// idLength and signatureLength are the characters of a jti, and of an EdDSA
// signature.
const (
	idLength        = 26
	signatureLength = 86
)

// NewPopulation signs n tokens of an EdDSA fixture, on all cores. extra is put
// into one more claim, to make the tokens longer; it may be empty.
func NewPopulation(f *fixture.Fixture, n int, extra string) (*Population, error) {
	claims := f.Claims()
	if extra != "" {
		claims.Extra["extra"] = extra
	}
	header, payload, err := decode(f.Token(claims))
	if err != nil {
		return nil, err
	}
	const name = `"jti":"`
	at := bytes.Index(payload, []byte(name))
	if at < 0 || at+len(name)+idLength >= len(payload) || payload[at+len(name)+idLength] != '"' {
		return nil, fmt.Errorf("reuse: no jti of %d characters in the claims", idLength)
	}
	p := &Population{
		header:     base64.RawURLEncoding.EncodeToString(header) + ".",
		payload:    payload,
		id:         at + len(name),
		signatures: make([]byte, n*signatureLength),
		size:       n,
	}
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wait.Go(func() {
			for i := w; i < n; i += workers {
				raw := f.Sign(header, p.claims(i), f.Algorithm)
				copy(p.signatures[i*signatureLength:], raw[len(raw)-signatureLength:])
			}
		})
	}
	wait.Wait()
	return p, nil
}

// decode returns the header and the claims of a token.
func decode(raw string) (header, payload []byte, err error) {
	segments := strings.Split(raw, ".")
	if header, err = base64.RawURLEncoding.DecodeString(segments[0]); err != nil {
		return nil, nil, err
	}
	payload, err = base64.RawURLEncoding.DecodeString(segments[1])
	return header, payload, err
}

// claims are those of the i-th token.
func (p *Population) claims(i int) []byte {
	payload := bytes.Clone(p.payload)
	copy(payload[p.id:], fmt.Sprintf("%0*d", idLength, i))
	return payload
}

// Token returns the i-th token, a new string each time.
func (p *Population) Token(i int) string {
	var b strings.Builder
	payload := p.claims(i)
	b.Grow(len(p.header) + base64.RawURLEncoding.EncodedLen(len(payload)) + 1 + signatureLength)
	b.WriteString(p.header)
	b.WriteString(base64.RawURLEncoding.EncodeToString(payload))
	b.WriteByte('.')
	b.Write(p.signatures[i*signatureLength:][:signatureLength])
	return b.String()
}
