package validator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/scopes"
)

// Token is what a verified access token says. It is immutable, and many
// requests share one.
type Token struct {
	issuer    string
	subject   string
	clientID  string
	id        string
	tenant    string
	audience  []string
	roles     []string
	scopes    scopes.Set
	expiry    time.Time
	notBefore time.Time
	issuedAt  time.Time
	claims    []byte // the JSON object itself; never written to
}

// Issuer is the configured issuer that the token was proven with.
func (t *Token) Issuer() string { return t.issuer }

// Subject is the sub claim. In the client-credentials flow it stands for the
// client (RFC 9068 §2.2). It is empty if the issuer sends none.
func (t *Token) Subject() string { return t.subject }

// ClientID is the client that the token was issued to: client_id (RFC 9068
// §2.2), or its older names azp, appid and cid. It is empty if the issuer sends
// none of them.
func (t *Token) ClientID() string { return t.clientID }

// ID is the jti claim, or empty.
func (t *Token) ID() string { return t.id }

// Audience is a copy of the aud claim.
func (t *Token) Audience() []string { return slices.Clone(t.audience) }

// Scopes is what the token grants.
func (t *Token) Scopes() scopes.Set { return t.scopes }

// Roles is a copy of the roles that the token holds, in the order in which the
// profile's claims name them. A route asks for scopes; where an issuer grants by
// roles (Entra ID's app roles), its profile counts them as scopes, too.
func (t *Token) Roles() []string { return slices.Clone(t.roles) }

// Tenant is the customer or directory that the token belongs to, where the
// issuer's profile knows such a claim; else it is empty.
func (t *Token) Tenant() string { return t.tenant }

// Expiry is the exp claim; zero if an introspection answer holds none.
func (t *Token) Expiry() time.Time { return t.expiry }

// IssuedAt is the iat claim, or zero. It decides nothing.
func (t *Token) IssuedAt() time.Time { return t.issuedAt }

// Claims decodes the token's claims, or the members of the introspection
// answer, into dst, a pointer as for encoding/json, with two differences: names
// match exactly, and in a map or an interface a whole number beyond ±2^53, which
// a float64 would round, is a json.Number. What dst's own UnmarshalJSON does to
// what it gets changes no token.
func (t *Token) Claims(dst any) error { return decodeClaims(t.claims, dst) }

// Check is for decisions inside a handler: it returns nil if the token's scopes
// satisfy rule, or an *Error that matches ErrInsufficientScope.
func (t *Token) Check(rule scopes.Rule) error {
	if rule.Allows(t.scopes) {
		return nil
	}
	e := &Error{check: CheckScope, text: t.String(), got: slices.AppendSeq([]string{}, t.scopes.All()), needs: rule.Needs()}
	if e.needs == "" {
		e.text += ", and the rule lets nobody in"
	} else {
		e.want = []string{e.needs}
	}
	return e
}

// String identifies the token in a log without its claims.
func (t *Token) String() string {
	return fmt.Sprintf("token of client %+q from %+q", t.clientID, t.issuer)
}

type contextKey struct{}

// NewContext returns a copy of ctx that carries t. The adapters call it; a unit
// test of a handler may too, with a token from [DangerouslyUnverified].
func NewContext(ctx context.Context, t *Token) context.Context {
	return context.WithValue(ctx, contextKey{}, t)
}

// FromContext returns the token that the request was let in with, or nil if
// the handler is not behind an adapter. A gin.Context is no carrier of it: use
// ginauth.Token, or the request's own context.
func FromContext(ctx context.Context) *Token {
	t, _ := ctx.Value(contextKey{}).(*Token)
	return t
}

// DangerouslyUnverified makes a Token of a JSON object of claims that nobody
// proved. It exists for unit tests of handlers, together with [NewContext]: a
// token that came from outside and through here was checked for nothing.
func DangerouslyUnverified(object []byte) (*Token, error) {
	var c claims
	if err := c.parse(slices.Clone(object), strictjson.Unlimited); err != nil {
		return nil, err
	}
	plain := Profile{}.settled()
	if err := c.grant(&plain); err != nil {
		return nil, err
	}
	return &c.token, nil
}
