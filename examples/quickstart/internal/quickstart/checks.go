package quickstart

import (
	"context"
	"net/http"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// check is one request, and what it should be answered.
type check struct {
	name      string
	method    string
	token     func(context.Context, *demo, kind) (string, error)
	status    int
	challenge string // as shorten writes it
}

var checks = []check{
	{"no token", http.MethodGet, noToken, 401, "Bearer orders:read"},
	{"valid", http.MethodGet, valid, 200, ""},
	{"lacks scope", http.MethodPost, valid, 403, "Bearer insufficient_scope orders:write"},
	{"expired", http.MethodGet, bad(issuertest.Expired), 401, "Bearer invalid_token orders:read"},
	{"other API's", http.MethodGet, forAnotherAPI, 401, "Bearer invalid_token orders:read"},
	{"tampered", http.MethodGet, tampered, 401, "Bearer invalid_token orders:read"},
	{"other issuer", http.MethodGet, fromStranger, 401, "Bearer invalid_token orders:read"},
}

func noToken(context.Context, *demo, kind) (string, error) { return "", nil }

// valid is a token that may read orders, and not write them.
func valid(ctx context.Context, d *demo, k kind) (string, error) {
	return d.token(ctx, k, d.issuer, audience)
}

// forAnotherAPI is a good token of the right issuer, which the client asked for
// in order to call somebody else.
func forAnotherAPI(ctx context.Context, d *demo, k kind) (string, error) {
	return d.token(ctx, k, d.issuer, "https://invoices.example.test")
}

// fromStranger is a good token of an issuer that the APIs do not trust.
func fromStranger(ctx context.Context, d *demo, k kind) (string, error) {
	return d.token(ctx, k, d.stranger, audience)
}

// bad is a token that no client would be given.
func bad(how issuertest.Bad) func(context.Context, *demo, kind) (string, error) {
	return func(_ context.Context, d *demo, k kind) (string, error) {
		claims := issuertest.Claims{ClientID: k.clientID, Audience: []string{audience}, Scope: "orders:read"}
		if k.opaque {
			return d.issuer.BadOpaque(how, claims), nil
		}
		return d.issuer.Bad(how, claims), nil
	}
}

// tampered is a token that was changed on its way: a JWT that grants itself
// another scope under the old signature, an opaque token with another last
// character.
func tampered(ctx context.Context, d *demo, k kind) (string, error) {
	if !k.opaque {
		return bad(issuertest.Tampered)(ctx, d, k)
	}
	token, err := valid(ctx, d, k)
	if err != nil {
		return "", err
	}
	last := len(token) - 1
	if token[last] == 'A' {
		return token[:last] + "B", nil
	}
	return token[:last] + "A", nil
}

// row is a check with one kind of token, as it went on each API.
type row struct {
	check
	kind  string
	cells []cell
}

// cell is what one API answered.
type cell struct {
	api string
	got answer
	err error // there was no answer
}

// surprise reports whether something else happened than was expected of the check, or
// on the first API.
func (r row) surprise(c cell) bool {
	return c.err != nil || c.got.status != r.status || shorten(c.got.challenge) != r.challenge ||
		c.got.reason != r.cells[0].got.reason
}

// runChecks makes every check on every API with both kinds of tokens.
func runChecks(ctx context.Context, d *demo) []row {
	var rows []row
	for _, k := range kinds {
		for _, c := range checks {
			r := row{check: c, kind: k.name}
			for _, a := range d.apis {
				got := cell{api: a.name}
				var token string
				if token, got.err = c.token(ctx, d, k); got.err == nil {
					got.got, got.err = d.call(ctx, a, c.method, token)
				}
				r.cells = append(r.cells, got)
			}
			rows = append(rows, r)
		}
	}
	return rows
}
