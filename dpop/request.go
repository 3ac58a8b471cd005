package dpop

import (
	"fmt"
	"io"
	"log/slog"
)

// Request is what one request shows, and what is known of its token.
type Request struct {
	_ [0]func()

	// Proofs are the values of the DPoP header field, a line each, as they were sent.
	Proofs []string `json:"-"`

	// Method is the request's, in its own case.
	Method string

	// URL is the request's, as the client wrote it: the public scheme and host of this
	// API by its configuration, and the path of the request line, escaped as sent. A
	// query is ignored.
	URL string

	// TokenHash is base64url(SHA-256(token)) of the token as sent, without padding (RFC
	// 9449 §4.3, check 12).
	TokenHash string `json:"-"`

	// Thumbprint is the token's cnf.jkt (RFC 9449 §6.1), of a token that was proven.
	Thumbprint string `json:"-"`

	// Holder is who holds the key, such as the issuer and the client of its token: what
	// one may take of the store is bounded, and keys cost nothing to make. Empty for the
	// key itself.
	Holder string `json:"-"`

	// Source is who seems to call: a key for fair waiting, and never for a decision.
	Source string
}

// Result is what an answer may have to say.
type Result struct {
	// Nonce is for the DPoP-Nonce header field of the answer (RFC 9449 §8.2), which
	// must not be cached then; empty for none. It is also set beside an error.
	Nonce string
}

// A proof can be replayed elsewhere for a while, and its key tells who calls: so
// every way to print a Request comes here.
var (
	_ fmt.Formatter  = Request{}
	_ slog.LogValuer = Request{}
)

// String says how many proofs there are.
func (r Request) String() string {
	return fmt.Sprintf("request with %d DPoP proofs", len(r.Proofs))
}

// Format prints what String returns, whatever the verb is.
func (r Request) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, r.String()) // State has no errors
}

// LogValue is what log/slog writes.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }
