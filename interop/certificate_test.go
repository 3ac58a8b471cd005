//go:build interop

package interop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"
)

// certificate is one with its key, made for this run.
type certificate struct {
	der []byte
	key *ecdsa.PrivateKey
}

var (
	authority = newCertificate(nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "interop"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	serverCertificate = newCertificate(authority, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	clientCertificate = newCertificate(authority, clientTemplate("tls.example.com"))
	otherCertificate  = newCertificate(authority, clientTemplate("other.example.com"))
	selfSigned        = newCertificate(nil, clientTemplate("self-signed.example.com"))
	otherSelfSigned   = newCertificate(nil, clientTemplate("tls.example.com"))
)

func clientTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// newCertificate signs template with issuer's key, or with its own if issuer is
// nil.
func newCertificate(issuer *certificate, template *x509.Certificate) *certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template.SerialNumber = must(rand.Int(rand.Reader, big.NewInt(1<<62)))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, crypto.Signer(key)
	if issuer != nil {
		parent, signer = must(x509.ParseCertificate(issuer.der)), issuer.key
	}
	return &certificate{must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)), key}
}

// must is for what fails only without randomness.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (c *certificate) certificatePEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.der}))
}

func (c *certificate) keyPEM() string {
	der := must(x509.MarshalPKCS8PrivateKey(c.key))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// tlsServer starts an https server that asks for client certificates.
func tlsServer(t *testing.T) *server {
	return ownServer(t, options{TLS: &tlsOptions{
		Key:  serverCertificate.keyPEM(),
		Cert: serverCertificate.certificatePEM(),
		CA:   authority.certificatePEM(),
	}})
}

// tlsClient trusts the servers of this run and presents c, or nothing if it is
// nil.
func tlsClient(t *testing.T, c *certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(authority.certificatePEM()))
	cfg := &tls.Config{RootCAs: roots}
	if c != nil {
		// Certificates would do for one that the server's list of authorities
		// covers; a self-signed one never is on it, and must be presented anyway.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{c.der}, PrivateKey: c.key}, nil
		}
	}
	transport := &http.Transport{TLSClientConfig: cfg}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
