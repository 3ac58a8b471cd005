package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
)

// signer makes proofs by one key, for the request that Request returns.
type signer struct {
	key    *ecdsa.PrivateKey
	header string
	jkt    string
}

const (
	benchURL = "https://api.example.test/orders"
	benchATH = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
)

var benchNow = time.Unix(1781524800, 0)

func b64[T string | []byte](data T) string { return base64.RawURLEncoding.EncodeToString([]byte(data)) }

func newSigner(t testing.TB) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := b64(point[1:33]), b64(point[33:])
	jkt := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`))
	return &signer{key, b64(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `"}}`), b64(jkt[:])}
}

func (s *signer) claims(jti string) string {
	return fmt.Sprintf(`{"jti":"%s","htm":"GET","htu":"%s","iat":%d,"ath":"%s"}`, jti, benchURL, benchNow.Unix(), benchATH)
}

func (s *signer) sign(claims string) string {
	input := s.header + "." + b64(claims)
	sum := sha256.Sum256([]byte(input))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	v.FillBytes(sig[32:])
	return input + "." + b64(sig[:])
}

func (s *signer) request(proof string) *dpop.Request {
	return &dpop.Request{Proofs: []string{proof}, Method: "GET", URL: benchURL, TokenHash: benchATH, Thumbprint: s.jkt}
}

func newVerifier(t testing.TB, change ...func(*dpop.Config)) *dpop.Verifier {
	t.Helper()
	cfg := dpop.Config{Now: func() time.Time { return benchNow }}
	for _, f := range change {
		f(&cfg)
	}
	v, err := dpop.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// primitive is the bare verification of a signature.
func (s *signer) primitive(t testing.TB) func() {
	t.Helper()
	sum := sha256.Sum256([]byte(s.header))
	sig, err := s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if !ecdsa.VerifyASN1(&s.key.PublicKey, sum[:], sig) {
			t.Fatal("does not verify")
		}
	}
}

// dear are proofs of 4 KiB that fail before their signature and are as dear to refuse
// as they can be. The header is one that nobody has seen.
func dear(s *signer) map[string]string {
	const room = 4096
	tail := "." + strings.Repeat("A", 86)
	claimsWith := func(text string) string { return strings.TrimSuffix(s.claims("j"), "}") + "," + text + "}" }
	fill := func(before, unit, after string, chars int) string {
		return before + strings.Repeat(unit, max(0, (chars*3/4-len(before)-len(after))/len(unit)-1)) + after
	}
	left := min(room-len(s.header)-len(tail)-2, 1280+2*len(benchURL), 1600-len(s.header)+2*len(benchURL))
	header := func(text string) string { // for another token: fails at the thumbprint
		raw, _ := base64.RawURLEncoding.DecodeString(s.header)
		return b64(strings.TrimSuffix(string(raw), "}") + "," + text + "}")
	}
	claims := b64(s.claims("j"))
	headerRoom := 1152 - len(s.header)
	m := map[string]string{
		"letters":             s.header + "." + b64(fill(claimsWith(`"x":"`)[:len(claimsWith(`"x":"`))-1], "a", `"}`, left)) + tail,
		"escapes":             s.header + "." + b64(fill(claimsWith(`"x":"`)[:len(claimsWith(`"x":"`))-1], `\n`, `"}`, left)) + tail,
		"unicode escapes":     s.header + "." + b64(fill(claimsWith(`"x":"`)[:len(claimsWith(`"x":"`))-1], `\u00e9`, `"}`, left)) + tail,
		"no ASCII":            s.header + "." + b64(fill(claimsWith(`"x":"`)[:len(claimsWith(`"x":"`))-1], "é", `"}`, left)) + tail,
		"white space":         s.header + "." + b64(fill(claimsWith(`"x":0`)[:len(claimsWith(`"x":0`))-1], " ", `}`, left)) + tail,
		"digits":              s.header + "." + b64(fill(claimsWith(`"x":0`)[:len(claimsWith(`"x":0`))-1]+".", "0", `}`, left)) + tail,
		"header of escapes":   header(fill(`"x":"`, `\n`, `"`, headerRoom)) + "." + claims + tail,
		"header of letters":   header(fill(`"x":"`, `a`, `"`, headerRoom)) + "." + claims + tail,
		"header of space":     header(fill(`"x":`, ` `, `0`, headerRoom)) + "." + claims + tail,
		"no base64":           s.header + "." + strings.Repeat("A", left-1) + "*" + tail,
		"just enough escapes": s.header + "." + b64(claimsWith(`"x":"`+strings.Repeat(`\u00e9`, 80)+strings.Repeat("a", left*3/4-len(s.claims("j"))-80*6-12)+`"`)) + tail,
		"just enough text":    s.header + "." + b64(claimsWith(`"x":"`+strings.Repeat("é", 70)+strings.Repeat("a", left*3/4-len(s.claims("j"))-70*2-12)+`"`)) + tail,
		"too long":            s.header + "." + strings.Repeat("A", room-len(s.header)-len(tail)-1) + tail,
		"short":               s.header + "." + claims + tail,
	}
	long := m["header of letters"][:strings.IndexByte(m["header of letters"], '.')]
	left = 1600 - len(long) + 2*len(benchURL)
	m["two of letters"] = long + "." + b64(fill(claimsWith(`"x":"`)[:len(claimsWith(`"x":"`))-1], "a", `"}`, left)) + tail
	m["two of escapes"] = long + "." + b64(claimsWith(`"x":"`+strings.Repeat(`\u00e9`, 70)+`"`)) + tail
	return m
}

func BenchmarkVerify(b *testing.B) {
	s := newSigner(b)
	b.Run("bare ES256", func(b *testing.B) {
		verify := s.primitive(b)
		b.ReportAllocs()
		for b.Loop() {
			verify()
		}
	})
	b.Run("good proof", func(b *testing.B) {
		v := newVerifier(b)
		proofs := make([]*dpop.Request, 4096)
		for n := range proofs {
			proofs[n] = s.request(s.sign(s.claims(fmt.Sprint("jti-", n))))
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if n%len(proofs) == 0 && n > 0 {
				b.StopTimer()
				v = newVerifier(b)
				b.StartTimer()
			}
			if _, err := v.Verify(b.Context(), proofs[n%len(proofs)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, proof := range dear(s) {
		b.Run("refused, "+name, func(b *testing.B) {
			v := newVerifier(b)
			r := s.request(proof)
			r.Thumbprint = strings.Repeat("A", 43)
			_, err := v.Verify(b.Context(), r)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), r); err == nil {
					b.Fatal("accepted")
				}
			}
			b.Log(len(proof), err.(*dpop.Error).Check())
		})
	}
}
