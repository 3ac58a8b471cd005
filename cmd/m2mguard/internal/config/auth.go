package config

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
)

// Auth is how a client authenticates at an authorization server, under the names that
// OpenID Connect registers.
type Auth struct {
	Method    string `doc:"How: client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth, or bearer for a token of one's own. Default client_secret_basic."`
	ClientID  string `doc:"The client id."`
	Secret    Secret `doc:"The client secret, for client_secret_basic and client_secret_post."`
	KeyFile   string `doc:"Path of the private key in PEM, for private_key_jwt."`
	KeyID     string `doc:"The kid of that key, if the server goes by it."`
	Algorithm string `doc:"What it signs with, such as RS256 or ES256."`
	Token     Secret `doc:"The token of one's own, for bearer."`

	unread bool
}

// Methods lists the values of Auth.Method.
var Methods = []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "bearer"}

// ClientAuth is a as the library takes it. No error holds a secret.
func (a Auth) ClientAuth() (introspection.ClientAuth, error) {
	secret := func() (introspection.SecretFunc, error) {
		if a.Secret == (Secret{}) {
			return nil, errors.New("has no secret: wanted secret: {env: NAME} or {file: PATH}")
		}
		return a.Secret.secretFunc()
	}
	if a.ClientID == "" && a.Method != "bearer" {
		return nil, errors.New("has no clientID")
	}
	switch a.Method {
	case "", "client_secret_basic":
		s, err := secret()
		return introspection.ClientSecretBasic(a.ClientID, s), err
	case "client_secret_post":
		s, err := secret()
		return introspection.ClientSecretPost(a.ClientID, s), err
	case "private_key_jwt":
		if a.unread {
			return unreadAuth, nil
		}
		signer, err := a.signer()
		return introspection.PrivateKeyJWT(a.ClientID, signer), err
	case "tls_client_auth":
		return introspection.TLSClientAuth(a.ClientID), nil
	case "bearer":
		_, err := a.Token.Read()
		return introspection.BearerToken(ownToken{a.Token}), err
	}
	return nil, fmt.Errorf("has another method than %s", strings.Join(Methods, ", "))
}

// unreadAuth stands for how to authenticate where that cannot be, or is not to be, read.
var unreadAuth = introspection.ClientSecretBasic("unread", introspection.Secret("unread"))

func (a Auth) signer() (introspection.AssertionSigner, error) {
	key, err := PrivateKey(a.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("keyFile %w", err)
	}
	if a.Algorithm == "" {
		return nil, errors.New("has no algorithm: wanted what the key signs with, such as RS256 or ES256")
	}
	return validator.NewAssertionSigner(a.ClientID, key, a.KeyID, a.Algorithm)
}

// PrivateKey reads a key of PKCS #8, or of the older forms. No error holds any of it, or
// what was given as its file's name; what it says follows the name of a key.
func PrivateKey(name string) (crypto.Signer, error) {
	if name == "" {
		return nil, errors.New("is missing")
	}
	text, err := readFile(name, maxPEM)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("names a file that holds no PEM, wanted a private key in PKCS #8")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, errors.New("names a file that holds no private key that can sign: wanted one of RSA, ECDSA or Ed25519 without a password")
}

// ownToken is a token that somebody else keeps fresh in a file.
type ownToken struct{ from Secret }

var _ introspection.TokenSource = ownToken{}

// AccessToken implements [introspection.TokenSource].
func (t ownToken) AccessToken(context.Context) (string, error) { return t.from.Read() }
