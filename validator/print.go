package validator

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// A token's claims are nobody's business but the handler's: they name people,
// and logs are kept for long. So every way to print a Token, whole or by
// reference, comes here. So does a Request, which holds a token as it was sent.
var (
	_ fmt.Stringer   = (*Token)(nil)
	_ fmt.Formatter  = Token{}
	_ slog.LogValuer = Token{}
	_ fmt.Formatter  = Request{}
	_ slog.LogValuer = Request{}
)

// String identifies the token in a log without its claims.
func (t *Token) String() string {
	if t.none() {
		return "no token"
	}
	return t.there().name()
}

func (c *contents) name() string {
	return "token of client " + quote.Value(c.clientID) + " from " + quote.Value(c.issuer)
}

// Format prints what String returns, whatever the verb is.
func (t Token) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, t.String()) // State has no errors
}

// LogValue is what log/slog writes: issuer, client, scopes and expiry. What is
// long, or no plain ASCII, is quoted and cut as in errors.
func (t Token) LogValue() slog.Value {
	if t.none() {
		return slog.StringValue(t.String())
	}
	c := t.there()
	attrs := []slog.Attr{
		slog.String("issuer", quote.Plain(c.issuer)),
		slog.String("client", quote.Plain(c.clientID)),
		slog.String("scopes", quote.Plain(c.scopes.String())),
	}
	if !c.expiry.IsZero() {
		attrs = append(attrs, slog.Time("expiry", c.expiry))
	}
	return slog.GroupValue(attrs...)
}

// String says who asks, without the token.
func (r Request) String() string {
	what := "request with a token"
	if r.Token == "" {
		what = "request without a token"
	}
	return what + " from " + quote.Value(r.Source)
}

// Format prints what String returns, whatever the verb is.
func (r Request) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, r.String()) // State has no errors
}

// LogValue is what log/slog writes: what String returns.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }
