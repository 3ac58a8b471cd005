package introspection

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/typednil"
)

// AssertionSigner makes client assertions (RFC 7523 §2.2) for [PrivateKeyJWT]:
// JWTs in which this resource server names itself to audience. This package
// knows no JOSE; validator.NewAssertionSigner makes one from a private key.
type AssertionSigner interface {
	// SignAssertion returns a new assertion, good for one request.
	SignAssertion(ctx context.Context, audience string) (string, error)
}

// AnswerVerifier proves signed answers (RFC 9701) for [Config].Answers.
type AnswerVerifier interface {
	// VerifyAnswer returns the token_introspection member of a signed answer,
	// or an error that quotes nothing of it. An error counts against the endpoint,
	// and so for every token, unless it is one of [AboutToken].
	VerifyAnswer(ctx context.Context, answer string) (claims []byte, err error)
}

// AboutToken makes err, of an [AnswerVerifier] or an [Introspector], one that concerns
// the one token that was asked about: the answer is proven, and holds something that
// cannot be read in one way only. Clients have a say in what answers hold.
func AboutToken(err error) error { return unreadable{err} }

// PrivateKeyJWT is private_key_jwt (RFC 7523 §2.2): a fresh assertion, signed
// with this resource server's private key, in every request. The assertion's
// audience is the issuer identifier if it is configured, else the endpoint.
func PrivateKeyJWT(clientID string, signer AssertionSigner) ClientAuth {
	return &privateKeyJWT{clientID, signer}
}

type privateKeyJWT struct {
	id     string
	signer AssertionSigner
}

var _ ClientAuth = (*privateKeyJWT)(nil)

// Authenticate implements [ClientAuth].
func (a *privateKeyJWT) Authenticate(ctx context.Context, req *Request) error {
	audience := req.Issuer
	if audience == "" {
		audience = req.Endpoint
	}
	assertion, err := a.signer.SignAssertion(ctx, audience)
	if err != nil {
		return fmt.Errorf("signing the client assertion: %w", err)
	}
	req.Form.Set("client_id", a.id)
	req.Form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	req.Form.Set("client_assertion", assertion)
	return nil
}

func (a *privateKeyJWT) clientID() string { return a.id }

func (a *privateKeyJWT) faults() []error {
	faults := idFaults(a.id)
	if a.signer == nil || typednil.Is(a.signer) {
		faults = append(faults, errors.New("introspection: Config.Auth has a nil AssertionSigner"))
	}
	return faults
}

// TLSClientAuth is tls_client_auth and self_signed_tls_client_auth (RFC 8705
// §2): the client certificate proves the client, so [Config].HTTPClient must
// present one, and the request names the client id. If the metadata names an
// endpoint for certificates (mtls_endpoint_aliases, §5), discovery takes that
// one. It must be Config.Auth itself, and not within another ClientAuth.
func TLSClientAuth(clientID string) ClientAuth { return tlsClientAuth(clientID) }

type tlsClientAuth string

var _ ClientAuth = tlsClientAuth("")

// Authenticate implements [ClientAuth].
func (id tlsClientAuth) Authenticate(_ context.Context, req *Request) error {
	req.Form.Set("client_id", string(id))
	return nil
}

func (id tlsClientAuth) clientID() string { return string(id) }

func (id tlsClientAuth) faults() []error { return idFaults(string(id)) }

// TokenSource supplies the access token that [BearerToken] sends, as it is
// now. It should answer from memory and renew the token before it expires.
type TokenSource interface {
	AccessToken(ctx context.Context) (string, error)
}

// BearerToken authenticates with an access token of this resource server's own
// (RFC 7662 §2.1), such as one from the client-credentials flow.
func BearerToken(source TokenSource) ClientAuth { return &bearerToken{source} }

type bearerToken struct{ source TokenSource }

var _ ClientAuth = (*bearerToken)(nil)

// Authenticate implements [ClientAuth].
func (a *bearerToken) Authenticate(ctx context.Context, req *Request) error {
	token, err := a.source.AccessToken(ctx)
	if err != nil {
		return fmt.Errorf("getting this resource server's own token: %w", err)
	}
	if token == "" {
		return errors.New("this resource server's own token is empty")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

func (a *bearerToken) faults() []error {
	if a.source == nil {
		return []error{errors.New("introspection: Config.Auth has a nil TokenSource")}
	}
	return nil
}

func idFaults(id string) []error {
	switch {
	case id == "":
		return []error{errors.New("introspection: Config.Auth has an empty client id")}
	case strings.TrimSpace(id) != id || hasControl(id):
		return []error{fmt.Errorf("introspection: Config.Auth has the client id %s, wanted one without blanks at its ends and line breaks", quote.Value(id))}
	}
	return nil
}
