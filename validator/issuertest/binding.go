package issuertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"time"
)

// Thumbprint returns the SHA-256 thumbprint of a public key (RFC 7638), which a
// DPoP-bound token has in cnf.jkt (RFC 9449 §6.1). It panics if the key is no
// RSA, ECDSA or Ed25519 key.
func Thumbprint(pub crypto.PublicKey) string {
	jwk, err := jwkMembers(pub)
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	return thumbprint(jwk)
}

// CertificateThumbprint returns the SHA-256 thumbprint of a certificate, which a
// certificate-bound token has in cnf.x5t#S256 (RFC 8705 §3.1).
func CertificateThumbprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return segment(sum[:])
}

// ClientCertificate makes a certificate for a client of that name, self-signed
// (RFC 8705 §2.2), with a new P-256 key. It is always within its time: no test
// breaks because a year has passed, or a clock stands still.
func ClientCertificate(name string) tls.Certificate {
	key := newPrivate(kindP256)
	cert := selfSigned(name, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// selfSigned makes a client certificate over a key.
func selfSigned(name string, key crypto.Signer) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text()[:16])),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Date(1990, time.January, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC), // none (RFC 5280 §4.1.2.5)
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	return cert
}

// confirmation is the cnf of a token (RFC 7800 §3.1); nil for none.
func (c Claims) confirmation() map[string]string {
	cnf := make(map[string]string)
	if c.JWKThumbprint != "" {
		cnf["jkt"] = c.JWKThumbprint
	}
	if c.CertificateThumbprint != "" {
		cnf["x5t#S256"] = c.CertificateThumbprint
	}
	if len(cnf) == 0 {
		return nil
	}
	return cnf
}

// jwkMembers returns what makes a public key: the members that its kty requires
// (RFC 7518 §6, RFC 8037 §2), and no other.
func jwkMembers(pub crypto.PublicKey) (map[string]string, error) {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return map[string]string{
			"kty": "RSA",
			"n":   segment(pub.N.Bytes()),
			"e":   segment(big.NewInt(int64(pub.E)).Bytes()),
		}, nil
	case *ecdsa.PublicKey:
		point, err := pub.Bytes() // 0x04, x and y, at full length
		if err != nil {
			return nil, err
		}
		half := len(point) / 2
		return map[string]string{
			"kty": "EC",
			"crv": pub.Params().Name,
			"x":   segment(point[1 : 1+half]),
			"y":   segment(point[1+half:]),
		}, nil
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "crv": "Ed25519", "x": segment(pub)}, nil
	default:
		return nil, fmt.Errorf("a %T is no key that signs a JWT", pub)
	}
}

// thumbprint hashes the required members, which encoding/json writes in the order
// and without the white space that RFC 7638 §3 asks for.
func thumbprint(jwk map[string]string) string {
	data, err := json.Marshal(jwk)
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return segment(sum[:])
}

// keyKind says of which kind a public key is, and "" of one that serves no
// algorithm here (RFC 7518 §3.3: RSA keys have 2048 bits or more).
func keyKind(pub crypto.PublicKey) kind {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if pub.N.BitLen() >= 2048 {
			return kindRSA
		}
	case *ecdsa.PublicKey:
		return map[string]kind{"P-256": kindP256, "P-384": kindP384, "P-521": kindP521}[pub.Params().Name]
	case ed25519.PublicKey:
		return kindEd25519
	}
	return ""
}
