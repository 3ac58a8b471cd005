package validator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/scopes"
)

// Token is what a verified access token says. It is immutable, and many
// requests share one. Printed or logged it names issuer and client, and its
// claims in no form. There is no token in a nil *Token: whoever reads from one
// gets a panic that says so. Nobody may write through a *Token: the cache and other
// requests hold the same.
type Token struct {
	// Two references, because fmt follows one: where it looks at fields by itself,
	// as in a struct of the user's that hides a Token, it finds an address.
	said **contents
}

// contents are what a token says.
type contents struct {
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
	claims    []byte   // the JSON object itself; never written to
	profile   *Profile // that the scopes were read by; nil before that
	beside    int      // bytes of scopes and roles that are no pieces of the claims
	// delegation is who acts for the subject, and what is granted in detail; nil for
	// neither.
	delegation *delegation
	bound      *binding // nil for a bearer token
	origin     any      // the proof that it comes from, for Validator.Live; nil for none
}

// Issuer is the configured issuer that the token was proven with.
func (t *Token) Issuer() string { return t.there().issuer }

// Subject is the sub claim. In the client-credentials flow it stands for the
// client (RFC 9068 §2.2). It is empty if the issuer sends none.
func (t *Token) Subject() string { return t.there().subject }

// ClientID is the client that the token was issued to: client_id (RFC 9068
// §2.2), or its older names azp, appid and cid. It is empty if the issuer sends
// none of them.
func (t *Token) ClientID() string { return t.there().clientID }

// ID is the jti claim, or empty.
func (t *Token) ID() string { return t.there().id }

// Audience is a copy of the aud claim.
func (t *Token) Audience() []string { return slices.Clone(t.there().audience) }

// Scopes is what the token grants, with what Profile.Grants and Profile.Implies add.
// Where Profile.WildcardSuffix is set, its Contains knows what wildcards cover.
func (t *Token) Scopes() scopes.Set { return t.there().scopes }

// Roles is a copy of the roles that the token holds, in the order in which the
// profile's claims name them. A route asks for scopes; where an issuer grants by
// roles (Entra ID's app roles), its profile counts them as scopes, too.
func (t *Token) Roles() []string { return slices.Clone(t.there().roles) }

// Tenant is the customer or directory that the token belongs to, where the
// issuer's profile knows such a claim; else it is empty.
func (t *Token) Tenant() string { return t.there().tenant }

// Expiry is the exp claim; zero if an introspection answer holds none.
func (t *Token) Expiry() time.Time { return t.there().expiry }

// IssuedAt is the iat claim, or zero. It decides nothing but what
// Issuer.MaxTokenLifetime asks.
func (t *Token) IssuedAt() time.Time { return t.there().issuedAt }

// Claims decodes the token's claims, or the members of the introspection
// answer, into dst, a pointer as for encoding/json, with two differences: names
// match exactly, and in a map or an interface a whole number beyond ±2^53, which
// a float64 would round, is a json.Number. What dst's own UnmarshalJSON does to
// what it gets changes no token.
func (t *Token) Claims(dst any) error {
	if t.none() {
		return errors.New("validator: " + noToken)
	}
	return decodeClaims(t.there().claims, dst)
}

// Check is for decisions inside a handler: it returns nil if the token's scopes
// satisfy rule, or an *Error that matches ErrInsufficientScope. Of a nil Token it
// matches ErrMissingToken.
func (t *Token) Check(rule scopes.Rule) error {
	if t.none() {
		return refuse(CheckMissing, noToken)
	}
	if rule.Allows(t.there().scopes) {
		return nil
	}
	return &Error{check: CheckScope, token: t.there(), needs: rule.Needs()}
}

// noToken is for handlers that read a token where none was put.
const noToken = "there is no token here: the handler is not behind Require, or looked in a context that is not the request's (in Gin, use ginauth.Token)"

func (t *Token) none() bool { return t == nil || t.said == nil }

// there is what t says, or a panic in words.
func (t *Token) there() *contents {
	if t.none() {
		panic("validator: " + noToken)
	}
	return *t.said
}

// stated is contents and the Token that hands them out.
type stated struct {
	said  contents // never changes
	ref   *contents
	token Token
}

// state fills s in. It must not move afterwards.
func (s *stated) state(c contents) *Token {
	s.said = c
	s.ref = &s.said
	s.token.said = &s.ref
	return &s.token
}

type contextKey struct{}

// NewContext returns a copy of ctx that carries t. The adapters call it; a unit
// test of a handler may too, with a token from [DangerouslyUnverified].
func NewContext(ctx context.Context, t *Token) context.Context {
	return context.WithValue(ctx, contextKey{}, t)
}

// FromContext returns the token that the request was let in with, or nil if
// the handler is not behind an adapter's Require. It must not be written to
// (*t = Token{}): other requests share it. A gin.Context is no carrier of it: use
// ginauth.Token, or the request's own context.
func FromContext(ctx context.Context) *Token {
	t, _ := ctx.Value(contextKey{}).(*Token)
	return t
}

// DangerouslyUnverified makes a Token of a JSON object of claims that nobody
// proved, read as p says; the zero Profile is the plain one. It exists for unit
// tests of handlers, together with [NewContext]: a token that came from outside and
// through here was checked for nothing.
func DangerouslyUnverified(object []byte, p Profile) (*Token, error) {
	var c claims
	if err := c.parse(slices.Clone(object), strictjson.Unlimited); err != nil {
		return nil, err
	}
	p = p.settled()
	if err := c.grant(&p); err != nil {
		return nil, err
	}
	return new(stated).state(c.token), nil
}

// stringHeader is what a string takes beside its text: a list has one for each name.
const stringHeader = 16
