package quickstart

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// drill is something that happens to an API or its issuer in the course of a year. It
// says what was done, and running it what was seen, or why that is not what was
// expected.
type drill struct {
	name, done string
	run        func(context.Context, *demo) (seen string, err error)
}

var drills = []drill{
	{"keys rotated", "The issuer signs with a new key; settings for keys: the defaults.", keysRotated},
	{"revoked", "An opaque token is revoked at its issuer.", tokenRevoked},
	{"asked anew", "A revoked token goes to DELETE, which asks the issuer each time.", askedAnew},
	{"killed", "A client is blocked, also on 4 more instances of the API.", clientKilled},
	{"stolen", "A thief has a token that is bound to a key (DPoP), and a proof.", tokenStolen},
	{"issuer down", "The issuer answers nobody any more; later it is back.", issuerDown},
	{"cold start", "5,000 clients come at once to an instance that has just started.", coldStart},
}

// runDrills runs the drills, prints two lines for each, and returns how many
// surprises there were.
func runDrills(ctx context.Context, d *demo, s Screen) (surprises int) {
	indent := strings.Repeat(" ", nameWidth+2)
	s.printf("\n%s\n", s.paint(bold, indent+"what was done, and what was seen"))
	for _, drill := range drills {
		s.printf("%s%s\n", s.paint(bold, fmt.Sprintf("%-*s  ", nameWidth, drill.name)), drill.done)
		seen, err := drill.run(ctx, d)
		shade := green
		if err != nil {
			surprises++
			seen, shade = "SURPRISE: "+err.Error(), red
		}
		for _, line := range wrap(indent, seen) {
			s.printf("%s\n", s.paint(shade, line))
		}
	}
	return surprises
}

// keysRotated lets the issuer sign with a key that the APIs have never seen.
func keysRotated(ctx context.Context, d *demo) (string, error) {
	d.issuer.Rotate()
	token, err := d.token(ctx, jwt, d.issuer, audience)
	if err != nil {
		return "", err
	}
	before := d.issuer.Requests(issuertest.JWKS)
	if err := d.expectAll(ctx, d.apis, http.MethodGet, token, http.StatusOK); err != nil {
		return "", err
	}
	fetches := d.issuer.Requests(issuertest.JWKS) - before
	if fetches != len(d.apis) {
		return "", fmt.Errorf("the key set was fetched %d times, expected %d, once by each API", fetches, len(d.apis))
	}
	return "The next token was let in at once; each API fetched the keys once.", nil
}

// tokenRevoked revokes an opaque token and calls the APIs with it until each of
// them has noticed.
func tokenRevoked(ctx context.Context, d *demo) (string, error) {
	token, err := d.token(ctx, opaque, d.issuer, audience)
	if err != nil {
		return "", err
	}
	if err := d.expectAll(ctx, d.apis, http.MethodGet, token, http.StatusOK); err != nil {
		return "", err
	}
	d.issuer.Revoke(token)
	revoked := time.Now()

	passed := make([]time.Duration, len(d.apis))
	var group errgroup.Group
	for i, a := range d.apis {
		group.Go(func() error {
			var err error
			passed[i], err = d.lastPass(ctx, a, token, revoked)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	return fmt.Sprintf("Let in for %.1f s more; the limit is set to %v s (by default 30 s).",
		slices.Max(passed).Seconds(), revocationLimit.Seconds()), nil
}

// lastPass calls a with a revoked token until it is refused, and returns how
// long after the revocation the last request was sent that passed.
func (d *demo) lastPass(ctx context.Context, a *api, token string, revoked time.Time) (last time.Duration, err error) {
	for {
		sent := time.Since(revoked)
		got, err := d.call(ctx, a, http.MethodGet, token)
		switch {
		case err != nil:
			return last, err
		case got.status == http.StatusUnauthorized:
			return last, nil
		case got.status != http.StatusOK:
			return last, fmt.Errorf("%s answered %d, expected 200 and then 401", a.name, got.status)
		case sent > revocationLimit:
			return last, fmt.Errorf("on %s it passed %v after it was revoked; the configured limit is %v", a.name, sent, revocationLimit)
		}
		last = sent
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return last, err
		}
	}
}

// askedAnew revokes an opaque token that every API has in its cache, and calls
// the route that asks the issuer at each request: it refuses at once, and takes
// the token out of the cache that the plain route beside it still served from.
func askedAnew(ctx context.Context, d *demo) (string, error) {
	for _, a := range d.apis {
		token, err := d.token(ctx, opaque, d.issuer, audience)
		if err != nil {
			return "", err
		}
		if _, err := d.expect(ctx, a, http.MethodGet, token, http.StatusOK); err != nil {
			return "", err
		}
		d.issuer.Revoke(token)
		for _, step := range []struct {
			method string
			status int
		}{
			{http.MethodGet, http.StatusOK},              // from the cache
			{http.MethodDelete, http.StatusUnauthorized}, // asks
			{http.MethodGet, http.StatusUnauthorized},    // has been told
		} {
			if _, err := d.expect(ctx, a, step.method, token, step.status); err != nil {
				return "", fmt.Errorf("after a revocation, %s: %w", step.method, err)
			}
		}
	}
	return "401 at once, and from then on by GET, too, which had it cached.", nil
}

// tokenStolen has a thief copy a token that is bound to its client's key (RFC 9449),
// together with a proof on its way. A proof is for one request, and good once.
func tokenStolen(ctx context.Context, d *demo) (string, error) {
	owner, thief, err := twoKeys()
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: issuertest.NewDPoPClient(owner, d.client.Transport), Timeout: d.client.Timeout}
	token, err := tokenBy(ctx, client, jwt, d.issuer, audience)
	if err != nil {
		return "", err
	}
	for _, a := range d.apis {
		claims := issuertest.ProofClaims{Method: http.MethodGet, URL: a.url + "/orders", Token: token}
		sent := []string{issuertest.Proof(owner, claims)}
		if err := d.try(ctx, a, token, []step{
			{"the owner", "DPoP", sent, http.StatusOK},
			{"the thief, with the owner's proof", "DPoP", sent, http.StatusUnauthorized},
			{"the thief, with another key", "DPoP", []string{issuertest.Proof(thief, claims)}, http.StatusUnauthorized},
			{"the thief, without a proof", "Bearer", nil, http.StatusUnauthorized},
			{"the owner, with a new proof", "DPoP", []string{issuertest.Proof(owner, claims)}, http.StatusOK},
		}); err != nil {
			return "", err
		}
	}
	return "401 without a proof, with a used one, by another key; owner: 200.", nil
}

// step is a request with a token, and what it should be answered.
type step struct {
	who, scheme string
	proofs      []string
	status      int
}

// try takes the steps on a, and fails at the first that is answered otherwise.
func (d *demo) try(ctx context.Context, a *api, token string, steps []step) error {
	for _, s := range steps {
		got, err := d.send(ctx, a, http.MethodGet, http.Header{"Authorization": {s.scheme + " " + token}, "Dpop": s.proofs})
		if err != nil {
			return err
		}
		if got.status != s.status {
			return fmt.Errorf("%s answered %d to %s, expected %d: %s", a.name, got.status, s.who, s.status, got.reason)
		}
	}
	return nil
}

// twoKeys makes one for each of two clients.
func twoKeys() (owner, thief *ecdsa.PrivateKey, err error) {
	if owner, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	thief, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return owner, thief, err
}

// issuerDown takes the issuer off the network and brings it back.
func issuerDown(ctx context.Context, d *demo) (string, error) {
	known, err := d.token(ctx, jwt, d.issuer, audience)
	if err != nil {
		return "", err
	}
	first, err := d.token(ctx, opaque, d.issuer, audience)
	if err != nil {
		return "", err
	}

	for _, e := range []issuertest.Endpoint{issuertest.Discovery, issuertest.JWKS, issuertest.TokenEndpoint, issuertest.Introspection} {
		d.issuer.SetFault(e, issuertest.Down())
	}
	defer d.issuer.ClearFaults()
	if _, err := d.token(ctx, jwt, d.issuer, audience); err == nil {
		return "", errors.New("the issuer is not down")
	}
	retryAfter := ""
	for _, a := range d.apis {
		if _, err := d.expect(ctx, a, http.MethodGet, known, http.StatusOK); err != nil {
			return "", err
		}
		refused, err := d.expect(ctx, a, http.MethodGet, first, http.StatusServiceUnavailable)
		if err != nil {
			return "", err
		}
		if retryAfter = refused.retryAfter; retryAfter == "" {
			return "", fmt.Errorf("%s answered 503 without Retry-After", a.name)
		}
	}

	d.issuer.ClearFaults()
	if err := d.expectAll(ctx, d.apis, http.MethodGet, first, http.StatusOK); err != nil {
		return "", fmt.Errorf("after the outage: %w", err)
	}
	return fmt.Sprintf("A new JWT: 200. An opaque one: 503 (Retry-After: %s), then 200.", retryAfter), nil
}
