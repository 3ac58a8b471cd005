package validator

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// A token's claims are nobody's business but the handler's: they name people,
// and logs are kept for long. So every way to print a Token, whole or by
// reference, comes here.
var (
	_ fmt.Stringer   = (*Token)(nil)
	_ fmt.Formatter  = Token{}
	_ slog.LogValuer = Token{}
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

// LogValue is what log/slog writes: issuer, client, scopes and expiry.
func (t Token) LogValue() slog.Value {
	if t.none() {
		return slog.StringValue(t.String())
	}
	c := t.there()
	attrs := []slog.Attr{
		slog.String("issuer", c.issuer),
		slog.String("client", c.clientID),
		slog.String("scopes", c.scopes.String()),
	}
	if !c.expiry.IsZero() {
		attrs = append(attrs, slog.Time("expiry", c.expiry))
	}
	return slog.GroupValue(attrs...)
}
