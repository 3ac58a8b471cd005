// Package contender holds the parties that are compared. Each answers the same
// question, whether the bearer of a token may read orders, which takes: the
// signature by a key of the issuer, found by kid; the algorithm, fixed; iss, aud,
// exp and nbf; and the scope. Each is set up as its documentation advises for a
// server, with everything that can be made beforehand made beforehand.
package contender

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
)

// Contender is one way to decide about a token.
type Contender struct {
	Name string
	// Modules are the import paths whose versions the report names.
	Modules []string
	// Setup says how it was set up.
	Setup string
	// Allows returns nil if raw is a good token that grants fixture.Scope. It is
	// safe for concurrent use.
	Allows func(ctx context.Context, raw string) error
	// Close releases what the contender holds.
	Close func()
}

// skew is how far clocks may differ, for everybody who lets it be set: the
// default of m2mguard.
const skew = 30 * time.Second

var (
	errScope    = errors.New("the scope is not granted")
	errAudience = errors.New("the token is meant for another API")
	errIssuer   = errors.New("the token is from another issuer")
	errExpired  = errors.New("the token has expired")
	errInactive = errors.New("the token is not active")
)

// granted looks for fixture.Scope in a space-delimited list.
func granted(scope string) error {
	for name := range strings.SplitSeq(scope, " ") {
		if name == fixture.Scope {
			return nil
		}
	}
	return errScope
}

// grantedIn looks for fixture.Scope in a list.
func grantedIn(scope []string) error {
	if slices.Contains(scope, fixture.Scope) {
		return nil
	}
	return errScope
}

// Peers are the libraries that verify JWTs.
func Peers(f *fixture.Fixture) ([]*Contender, error) {
	var peers []*Contender
	for _, make := range []func(*fixture.Fixture) (*Contender, error){golangJWT, goJOSE, jwxParse, goOIDC, auth0} {
		c, err := make(f)
		if err != nil {
			for _, p := range peers {
				p.Close()
			}
			return nil, err
		}
		peers = append(peers, c)
	}
	return peers, nil
}

func nothing() {}
