package introspection

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"unicode"
)

// ClientAuth authenticates this resource server to the introspection endpoint,
// as RFC 7662 §2.1 demands. Implementations are safe for concurrent use.
type ClientAuth interface {
	// Authenticate adds to req what proves the client: form parameters, header
	// fields, or both. It is called for every request that is sent, so secrets
	// and tokens may change between two calls. When the endpoint refuses the
	// credentials, it is called once more, and if it then builds another
	// request, that one is sent too.
	//
	// ctx ends with the request's time-out. An error means that nothing is
	// sent; its text reaches logs and must not hold the secret. It runs on a
	// goroutine of its own, where nobody recovers a panic.
	Authenticate(ctx context.Context, req *Request) error
}

// Request is an introspection request (RFC 7662 §2.1) before it is sent.
type Request struct {
	// Issuer is Config.Issuer, and Endpoint is where the request goes, for proofs
	// that name their audience.
	Issuer   string
	Endpoint string
	// Form is the body. token and token_type_hint are set and must stay.
	Form url.Values
	// Header holds the header fields; Accept is set.
	Header http.Header

	// What put a client secret into it, perhaps from within a ClientAuth of the
	// user's, and which one. Nil: there is none.
	secretOf *clientSecret
	secret   string
}

// SecretFunc returns the client secret as it is now. It is called for every
// request to the endpoint, and every 10 ms by a request that waits for a new
// secret, so one that rotates in a file or a vault needs no restart; it should
// answer from memory.
//
// The server and the vault need not change at the same instant. If the vault is
// first, the secret that was accepted last goes on serving until the server
// follows. If the server is first, a request waits up to 200 ms for the vault.
type SecretFunc func(ctx context.Context) (string, error)

// Secret returns a [SecretFunc] for a secret that never changes. [New] refuses
// one that is empty, as an environment variable is that nobody set, and one with
// a control character, as a file has at its end: neither is any client's.
func Secret(s string) SecretFunc {
	switch {
	case strings.TrimSpace(s) == "":
		return emptySecret
	case hasControl(s):
		return secretWithControl
	}
	return func(context.Context) (string, error) { return s, nil }
}

func emptySecret(context.Context) (string, error) { return "", errEmptySecret }

func secretWithControl(context.Context) (string, error) { return "", errSecretWithControl }

var (
	errEmptySecret       = errors.New("the client secret is empty")
	errSecretWithControl = errors.New("the client secret holds a control character, such as the line break at the end of a file (RFC 6749 appendix A.2)")
)

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// is reports whether f is one of the two functions above, which are no closures.
func (f SecretFunc) is(other SecretFunc) bool {
	return reflect.ValueOf(f).Pointer() == reflect.ValueOf(other).Pointer()
}

// ClientSecretBasic is client_secret_basic: HTTP Basic with client id and
// secret form-urlencoded first (RFC 6749 §2.3.1). Some servers do not decode
// them; with special characters in the secret, those need [ClientSecretPost].
func ClientSecretBasic(clientID string, secret SecretFunc) ClientAuth {
	return &clientSecret{clientID, secret, func(req *Request, id, secret string) {
		pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}}
}

// ClientSecretPost is client_secret_post: client id and secret in the form
// (RFC 6749 §2.3.1), and nowhere else.
func ClientSecretPost(clientID string, secret SecretFunc) ClientAuth {
	return &clientSecret{clientID, secret, func(req *Request, id, secret string) {
		req.Form.Set("client_id", id)
		req.Form.Set("client_secret", secret)
	}}
}

// clientSecret is either of the two methods that send a shared secret.
type clientSecret struct {
	id     string
	secret SecretFunc
	put    func(req *Request, id, secret string)
}

var _ ClientAuth = (*clientSecret)(nil)

// Authenticate implements [ClientAuth].
func (a *clientSecret) Authenticate(ctx context.Context, req *Request) error {
	secret, err := a.secret(ctx)
	if err != nil {
		return fmt.Errorf("reading the client secret: %w", err)
	}
	switch {
	case secret == "":
		return errEmptySecret
	case hasControl(secret):
		return errSecretWithControl
	}
	a.authenticateWith(req, secret)
	return nil
}

func (a *clientSecret) clientID() string { return a.id }

func (a *clientSecret) authenticateWith(req *Request, secret string) {
	a.put(req, a.id, secret)
	req.secretOf, req.secret = a, secret
}

// faults says what is wrong with the method as it was configured.
func (a *clientSecret) faults() (faults []error) {
	faults = idFaults(a.id)
	switch {
	case a.secret == nil:
		faults = append(faults, errors.New("introspection: Config.Auth has a nil SecretFunc"))
	case a.secret.is(emptySecret):
		faults = append(faults, errors.New("introspection: Config.Auth has an empty secret, wanted the one that the authorization server has for this client"))
	case a.secret.is(secretWithControl):
		faults = append(faults, fmt.Errorf("introspection: Config.Auth: %w", errSecretWithControl))
	}
	return faults
}
