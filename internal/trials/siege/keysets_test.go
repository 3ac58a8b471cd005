package siege_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// jwk is a JSON Web Key; a nil value takes a member away.
type jwk map[string]any

func (k jwk) with(changes jwk) jwk {
	changed := jwk{}
	for _, members := range []jwk{k, changes} {
		for name, value := range members {
			changed[name] = value
			if value == nil {
				delete(changed, name)
			}
		}
	}
	return changed
}

// public is the public half of a test key under a kid.
func public(name, kid string) jwk { return decode(testdata.PublicKey(name)).with(jwk{"kid": kid}) }

// private is a whole test key under a kid.
func private(name, kid string) jwk { return decode(testdata.Key(name)).with(jwk{"kid": kid}) }

func decode(text []byte) (k jwk) {
	if err := json.Unmarshal(text, &k); err != nil {
		panic(err)
	}
	return k
}

func keySet(keys ...jwk) []byte {
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return text
}

// claims are those of a good token.
func claims(iss *issuertest.Issuer) []byte {
	return fmt.Appendf(nil, `{"iss":%q,"aud":%q,"exp":%d,"scope":%q,"jti":%q}`, iss.URL(), issuertest.Audience, time.Now().Add(time.Hour).Unix(), scope, rand.Text())
}

// by is a token by a test key, under a kid.
func by(iss *issuertest.Issuer, key, kid, alg string) string {
	return iss.SignWith(key, fmt.Appendf(nil, `{"alg":%q,"kid":%q}`, alg, kid), claims(iss), alg)
}

// byHMAC is a token whose secret is an oct key.
func byHMAC(iss *issuertest.Issuer, secret, kid string) string {
	input := segment(fmt.Appendf(nil, `{"alg":"HS256","kid":%q}`, kid)) + "." + segment(claims(iss))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(input))
	return input + "." + segment(mac.Sum(nil))
}

// TestOddKeysAmongGoodOnes: what is odd in a set is skipped and reported, and
// the good keys beside it serve.
func TestOddKeysAmongGoodOnes(t *testing.T) {
	good := public("ed25519-a", "good")
	rsa := public("rsa-2048-a", "rsa")
	var full []jwk // as many keys as a set may have
	for i := range 999 {
		full = append(full, good.with(jwk{"kid": fmt.Sprint("copy-", i)}))
	}
	// Each token is named key/kid/alg: who signs, as whom, and how.
	for name, set := range map[string]struct {
		keys    []jwk
		good    []string
		bad     []string
		skipped []string // kids that the operator is told of
	}{
		"a value that is no base64url": {
			keys: []jwk{good.with(jwk{"kid": "odd", "x": "!"}), good},
			bad:  []string{"ed25519-a/odd/EdDSA"}, skipped: []string{"odd"},
		},
		"a point that is not on its curve": {
			keys: []jwk{public("p256-a", "odd").with(jwk{"y": public("p256-b", "")["y"]}), good},
			bad:  []string{"p256-a/odd/ES256"}, skipped: []string{"odd"},
		},
		"two keys with one kid: the first serves": {
			keys: []jwk{good, public("ed25519-b", "good")},
			bad:  []string{"ed25519-b/good/EdDSA"}, skipped: []string{"good"},
		},
		"two keys with one kid, of two kinds: both serve": {
			keys: []jwk{good, rsa.with(jwk{"kid": "good"})},
			good: []string{"rsa-2048-a/good/RS256", "rsa-2048-a/good/PS256"},
		},
		"one key twice": {keys: []jwk{good, good, good.with(jwk{"kid": "again"})}, good: []string{"ed25519-a/again/EdDSA"}},
		"a private key": {
			keys: []jwk{private("p256-a", "leaked"), private("rsa-2048-b", "leaked too"), good},
			bad:  []string{"p256-a/leaked/ES256", "rsa-2048-b/leaked too/RS256"}, skipped: []string{"leaked", "leaked too"},
		},
		"an oct key": {
			keys: []jwk{{"kty": "oct", "kid": "oct", "alg": "HS256", "k": segment([]byte("shared"))}, good},
			bad:  []string{"shared/oct/HS256"}, skipped: []string{"oct"},
		},
		"an unknown kty": {
			keys: []jwk{{"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AAAA"}, {"kid": "no kty"}, good}, skipped: []string{"pq", "no kty"},
		},
		"what is no object":     {keys: []jwk{nil, good}, skipped: []string{""}},
		"a key for encryption":  {keys: []jwk{rsa.with(jwk{"use": "enc"}), good}, bad: []string{"rsa-2048-a/rsa/RS256"}, skipped: []string{"rsa"}},
		"a key to sign with":    {keys: []jwk{rsa.with(jwk{"key_ops": []string{"sign"}}), good}, bad: []string{"rsa-2048-a/rsa/RS256"}, skipped: []string{"rsa"}},
		"a key for another alg": {keys: []jwk{rsa.with(jwk{"alg": "RS512"}), good}, bad: []string{"rsa-2048-a/rsa/RS256"}, skipped: []string{"rsa"}},
		"a small RSA key":       {keys: []jwk{public("rsa-1024", "small"), good}, bad: []string{"rsa-1024/small/RS256"}, skipped: []string{"small"}},
		"a thousand keys":       {keys: append(full, good), good: []string{"ed25519-a/copy-998/EdDSA"}},
		"a chain of certificates from elsewhere": {
			keys: []jwk{rsa.with(jwk{"x5c": []string{"AAAA"}, "x5u": "http://127.0.0.1:1/"}), good}, good: []string{"rsa-2048-a/rsa/RS256"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss := issuertest.New(t)
			iss.SetJWKS(keySet(set.keys...), http.Header{"ETag": {""}})
			config := byKeys(iss, jwks.Config{})
			a := listen(t, config)
			token := func(name string) string {
				part := strings.Split(name, "/")
				if part[2] == "HS256" {
					return byHMAC(iss, part[0], part[1])
				}
				return by(iss, part[0], part[1], part[2])
			}
			for _, name := range append(set.good, "ed25519-a/good/EdDSA") {
				if got := a.get(token(name)); got != ok {
					t.Errorf("%s: answered %s, wanted %s", name, got, ok)
				}
			}
			for _, name := range set.bad {
				if got := a.get(token(name)); got != invalidToken {
					t.Errorf("%s: answered %s, wanted %s", name, got, invalidToken)
				}
			}
			until(t, "the operator to be told", func() bool { return len(a.events.of(observe.KeySetChanged)) == 1 })
			told := map[string]bool{}
			for _, e := range a.events.of(observe.KeySkipped) {
				told[e.KeyID] = true
				if bytes.Contains([]byte(e.Err.Error()), []byte("AAAA")) {
					t.Errorf("the event quotes the key: %v", e.Err)
				}
			}
			for _, kid := range set.skipped {
				if !told[kid] {
					t.Errorf("no event about %q", kid)
				}
			}
			if len(told) != len(set.skipped) {
				t.Errorf("told of %v, wanted %q", told, set.skipped)
			}
		})
	}
}
