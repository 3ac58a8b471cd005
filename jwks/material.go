package jwks

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"

	"github.com/MicahParks/jwkset"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// material is what a key is made of, by the members of RFC 7518 §6 and RFC 8037 §2.
// What is nil or empty is not there.
type material struct {
	kty, crv   string
	n, e, x, y []byte
}

// public decodes the key and computes its RFC 7638 thumbprint. What issuers write
// beside the standards is read where it has one meaning: see decode, coordinate and
// certificate. jwkset decodes what is left of that: the public members alone, in
// their one right spelling.
func (j *jwk) public(text jsontext.Value) (public crypto.PublicKey, thumbprint string, cert *x509.Certificate, err error) {
	m := material{kty: j.Type}
	if j.Curve != nil {
		m.crv = *j.Curve
	}
	for _, member := range []struct {
		name string
		text *string
		to   *[]byte
	}{{"n", j.N, &m.n}, {"e", j.E, &m.e}, {"x", j.X, &m.x}, {"y", j.Y, &m.y}} {
		if member.text == nil || !m.has(member.name) {
			continue
		}
		octets, bad := decode(*member.text)
		if bad >= 0 {
			return nil, "", nil, faultAt(errBase64, text, member.name, bad)
		}
		*member.to = octets
	}
	cert, unread := certificate(j.X5C)
	if cert != nil && !m.fill(cert.PublicKey) {
		return nil, "", nil, faultAt(errOtherCert, text, "x5c", 0)
	}
	public, thumbprint, member, err := m.key()
	switch {
	case member != "":
		err = faultAt(err, text, member, 0)
	case unread && (err == errNoRSA || err == errNoPoint):
		err = faultAt(errNoCert, text, "x5c", 0)
	}
	if err != nil {
		return nil, "", nil, err
	}
	if cert != nil && !public.(interface{ Equal(crypto.PublicKey) bool }).Equal(cert.PublicKey) {
		return nil, "", nil, faultAt(errOtherCert, text, "x5c", 0)
	}
	return public, thumbprint, cert, nil
}

// key decodes m once it is right, and says what is wrong, and with which member if it
// is with one.
func (m *material) key() (public crypto.PublicKey, thumbprint, member string, err error) {
	canonical, member, err := m.right()
	if err != nil {
		return nil, "", member, err
	}
	decoded, err := jwkset.NewJWKFromMarshal(jwkset.JWKMarshal{
		KTY: jwkset.KTY(m.kty), CRV: jwkset.CRV(m.crv), N: encode(m.n), E: encode(m.e), X: encode(m.x), Y: encode(m.y),
	}, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return nil, "", "x", errPoint // all else is checked
	}
	sum := sha256.Sum256([]byte(canonical))
	return decoded.Key(), encode(sum[:]), "", nil
}

// has reports whether a member belongs to keys of m's type; RFC 7517 §4 has others
// ignored.
func (m *material) has(member string) bool {
	return strings.Contains(map[string]string{"RSA": "ne", "EC": "xy", "OKP": "x"}[m.kty], member)
}

// fill takes from a certificate's key what is not there, and reports whether that is
// of m's type. What is there is for the caller to compare.
func (m *material) fill(public crypto.PublicKey) bool {
	var c material
	switch k := public.(type) {
	case *rsa.PublicKey:
		c = material{kty: "RSA", n: k.N.Bytes(), e: big.NewInt(int64(k.E)).Bytes()}
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 0x04, x and y, at full length
		if err != nil {
			return false
		}
		c = material{kty: "EC", crv: k.Params().Name, x: point[1 : 1+len(point)/2], y: point[1+len(point)/2:]}
	case ed25519.PublicKey:
		c = material{kty: "OKP", crv: "Ed25519", x: k}
	}
	m.kty = cmp.Or(m.kty, c.kty)
	if c.kty == "" || c.kty != m.kty || m.crv != "" && m.crv != c.crv {
		return false
	}
	m.crv = cmp.Or(m.crv, c.crv)
	for _, member := range []struct{ to, from *[]byte }{{&m.n, &c.n}, {&m.e, &c.e}, {&m.x, &c.x}, {&m.y, &c.y}} {
		if *member.to == nil {
			*member.to = *member.from
		}
	}
	return true
}

// right brings m into its right form, in which RFC 7638 §3 has its members.
func (m *material) right() (canonical, member string, err error) {
	if m.kty == "RSA" {
		return m.rightRSA()
	}
	size, ok := map[string]int{"EC P-256": 32, "EC P-384": 48, "EC P-521": 66, "OKP Ed25519": 32}[m.kty+" "+m.crv]
	switch {
	case m.crv == "secp256k1":
		return "", "crv", errSecp256k1
	case !ok && m.crv != "":
		return "", "crv", errCurve
	case !ok || m.x == nil || m.kty == "EC" && m.y == nil:
		return "", "", errNoPoint
	}
	if m.kty == "OKP" {
		if len(m.x) != size {
			return "", "x", errLength
		}
		if jws.SmallOrder(m.x) {
			return "", "x", errSmall
		}
		return fmt.Sprintf(`{"crv":"%s","kty":"OKP","x":"%s"}`, m.crv, encode(m.x)), "", nil
	}
	if m.x, ok = coordinate(m.x, size); !ok {
		return "", "x", errLong
	}
	if m.y, ok = coordinate(m.y, size); !ok {
		return "", "y", errLong
	}
	return fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, m.crv, encode(m.x), encode(m.y)), "", nil
}

// rightRSA lets leading zero octets pass, of which RFC 7518 §6.3.1.1 warns. jwkset
// would cut an exponent to 64 bits.
func (m *material) rightRSA() (canonical, member string, err error) {
	if m.n == nil || m.e == nil {
		return "", "", errNoRSA
	}
	modulus, exponent := new(big.Int).SetBytes(m.n), new(big.Int).SetBytes(m.e)
	if bits := modulus.BitLen(); bits < jws.MinRSABits || bits > jws.MaxRSABits || modulus.Bit(0) == 0 {
		return "", "n", errModulus
	}
	if exponent.BitLen() > 31 || exponent.Bit(0) == 0 || exponent.Cmp(big.NewInt(3)) < 0 {
		return "", "e", errExponent
	}
	if !jws.ApprovedRSA(modulus.BitLen(), int(exponent.Int64())) {
		return "", "", errApproved
	}
	m.n, m.e = modulus.Bytes(), exponent.Bytes()
	return fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, encode(m.e), encode(m.n)), "", nil
}

// coordinate brings a number to the length that its curve asks for (RFC 7518
// §6.2.1.2): serialisers of integers drop leading zeros, or add one for the sign.
func coordinate(octets []byte, size int) (right []byte, fits bool) {
	octets = bytes.TrimLeft(octets, "\x00")
	if len(octets) > size {
		return nil, false
	}
	return append(make([]byte, size-len(octets), size), octets...), true
}

// certificate is the first one of an x5c (RFC 7517 §4.7). It is a container of the
// key: neither its dates nor who signed it count.
func certificate(x5c jsontext.Value) (cert *x509.Certificate, unread bool) {
	if len(x5c) == 0 || x5c.Kind() == 'n' {
		return nil, false
	}
	var chain []jsontext.Value
	var first string
	if json.Unmarshal(x5c, &chain) == nil && len(chain) == 0 {
		return nil, false
	}
	if len(chain) == 0 || json.Unmarshal(chain[0], &first) != nil {
		return nil, true
	}
	der, bad := decode(first)
	if bad >= 0 {
		return nil, true
	}
	cert, err := x509.ParseCertificate(der)
	return cert, err != nil
}

// decode reads base64url (RFC 7515 §2), and what means the same in standard base64
// or with padding (RFC 4648 §3.2, §4), where issuers use a common encoder. Each
// value has those four spellings and no other: no white space, no stray bits, no two
// alphabets in one text. bad is the first character that is wrong, or negative.
func decode(text string) (octets []byte, bad int) {
	body := strings.TrimRight(text, "=")
	padding := len(text) - len(body)
	if url := strings.IndexAny(body, "-_"); url < 0 {
		body = strings.NewReplacer("+", "-", "/", "_").Replace(body)
	}
	for at := range len(body) {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", body[at]) < 0 {
			return nil, at
		}
	}
	if padding > 0 && (padding > 2 || len(text)%4 != 0) {
		return nil, len(body)
	}
	octets, err := jws.AppendDecode(nil, body)
	if err != nil || len(octets) == 0 {
		return nil, max(0, len(body)-1)
	}
	return octets, -1
}

func encode(octets []byte) string { return base64.RawURLEncoding.EncodeToString(octets) }
