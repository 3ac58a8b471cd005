package jwks

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Faults of PEM.
var (
	errBlock     = errors.New("is a PEM block that cannot be read (RFC 7468 §3)")
	errBlockType = errors.New("is a PEM block of another type than PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE")
	errNoKey     = errors.New("holds no public key that can be read")
	errKeyUsage  = error(notForUs("is a certificate whose key usage lacks digitalSignature (RFC 5280 §4.2.1.3)"))
	errCA        = error(notForUs("is the certificate of an authority (RFC 5280 §4.2.1.9), beside one that is of none"))
	errAuthority = error(notForUs("is the certificate of an authority: it signed another one of the text, and signs no tokens"))
)

var (
	pemBegin = []byte("-----BEGIN ")
	mark     = []byte("\xef\xbb\xbf") // a byte order mark
)

// parseAny reads a key set in either form that a Config may have it in. JSON begins
// with its brace; before PEM there may be text (RFC 7468 §5.2).
func parseAny(text []byte, w wanted) (*snapshot, error) {
	unmarked := bytes.TrimPrefix(text, mark)
	begin := bytes.TrimLeft(unmarked, " \t\r\n")
	if !bytes.HasPrefix(begin, []byte("{")) && !bytes.HasPrefix(begin, []byte("[")) && bytes.Contains(begin, pemBegin) {
		return parsePEM(unmarked, w.algorithms)
	}
	return parse(text, w)
}

// block is one of a PEM text, and where it begins.
type block struct {
	*pem.Block
	at   int
	cert *x509.Certificate // of a CERTIFICATE that can be read
}

// parsePEM reads keys and certificates. One that cannot be used is skipped; a block
// that is no block makes the text one that could be read in two ways, because readers
// pass it over or stop there.
func parsePEM(text []byte, algorithms []string) (*snapshot, error) {
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, err
	}
	var c collection
	for _, b := range blocks {
		k, err := b.key(blocks, algorithms)
		if err != nil {
			err = fault{err, b.Type, b.at, "text"}
		}
		c.add(k, "", err)
	}
	return c.snapshot()
}

func pemBlocks(text []byte) (blocks []block, err error) {
	for at := 0; ; {
		next := bytes.Index(text[at:], pemBegin)
		if next < 0 {
			return blocks, nil
		}
		at += next
		b, rest := pem.Decode(text[at:])
		end := len(text) - len(rest)
		if b == nil || at > 0 && text[at-1] != '\n' || len(b.Headers) > 0 || bytes.Count(text[at:end], pemBegin) != 1 {
			return nil, fmt.Errorf("what begins at offset %d %w", at, errBlock)
		}
		if len(blocks) == maxKeys {
			return nil, errManyKeys
		}
		read := block{Block: b, at: at}
		if b.Type == "CERTIFICATE" {
			read.cert, _ = x509.ParseCertificate(b.Bytes)
		}
		blocks, at = append(blocks, read), end
	}
}

// key makes a key of a block. It has no kid, and no alg of its own. Beside errPrivate
// there is one that only has its thumbprint, if it can be read.
func (b block) key(all []block, algorithms []string) (*Key, error) {
	var public crypto.PublicKey
	var err error
	switch {
	case strings.HasSuffix(b.Type, "PRIVATE KEY"):
		return b.private(), errPrivate
	case b.Type == "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(b.Bytes)
	case b.Type == "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(b.Bytes)
	case b.Type != "CERTIFICATE":
		return nil, errBlockType
	case b.cert == nil:
		return nil, errNoKey
	case slices.ContainsFunc(all, b.signed):
		return nil, errAuthority
	case b.cert.KeyUsage != 0 && b.cert.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, errKeyUsage
	case b.cert.IsCA && slices.ContainsFunc(all, block.ofNoAuthority):
		return nil, errCA
	default:
		public = b.cert.PublicKey
	}
	if err != nil {
		return nil, errNoKey
	}
	var m material
	if !m.fill(public) {
		return nil, errNoKey
	}
	public, thumbprint, _, err := m.key()
	if err != nil {
		return nil, err
	}
	served, err := new(jwk).algorithms(public, algorithms)
	if err != nil {
		return nil, err
	}
	k := newKey(thumbprint, served, public)
	k.nameCertificate("", "", b.cert)
	return k, nil
}

// private is the public part of a private key that is not encrypted.
func (b block) private() *Key {
	var m material
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		key, err := parse(b.Bytes)
		if signer, ok := key.(crypto.Signer); err != nil || !ok || !m.fill(signer.Public()) {
			continue
		}
		if public, thumbprint, _, err := m.key(); err == nil {
			return newKey(thumbprint, nil, public)
		}
	}
	return nil
}

// ofNoAuthority reports whether b is a certificate, and not of an authority.
func (b block) ofNoAuthority() bool { return b.cert != nil && !b.cert.IsCA }

// signed reports whether the certificate of b is that of the authority which signed
// other's, by their names.
func (b block) signed(other block) bool {
	return other.cert != nil && !bytes.Equal(other.cert.RawIssuer, other.cert.RawSubject) && bytes.Equal(other.cert.RawIssuer, b.cert.RawSubject)
}
