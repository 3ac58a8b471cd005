package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// drill is something that happens to an issuer in the course of a year. It says
// what was seen, or why that is not what was expected.
type drill struct {
	name string
	run  func(context.Context, *demo) (string, error)
}

var drills = []drill{
	{"keys rotated", keysRotated},
	{"token revoked", tokenRevoked},
	{"asked anew", askedAnew},
	{"token stolen", tokenStolen},
	{"issuer down", issuerDown},
}

// runDrills runs the drills, prints a line for each, and returns how many
// surprises there were.
func runDrills(ctx context.Context, d *demo, w io.Writer) (surprises int) {
	fmt.Fprintln(w)
	for _, drill := range drills {
		seen, err := drill.run(ctx, d)
		if err != nil {
			surprises++
			seen = "SURPRISE: " + err.Error()
		}
		fmt.Fprintf(w, "%-14s %s\n", drill.name, seen)
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
	for _, a := range d.apis {
		if _, err := d.expect(ctx, a, http.MethodGet, token, http.StatusOK); err != nil {
			return "", err
		}
	}
	fetches := d.issuer.Requests(issuertest.JWKS) - before
	if fetches != len(d.apis) {
		return "", fmt.Errorf("the key set was fetched %d times, expected %d, once by each API", fetches, len(d.apis))
	}
	return fmt.Sprintf("The next request, signed with the new key, passed on each API; %d fetches of the key set, 1 by each.", fetches), nil
}

// tokenRevoked revokes an opaque token and calls the APIs with it until each of
// them has noticed.
func tokenRevoked(ctx context.Context, d *demo) (string, error) {
	token, err := d.token(ctx, opaque, d.issuer, audience)
	if err != nil {
		return "", err
	}
	for _, a := range d.apis {
		if _, err := d.expect(ctx, a, http.MethodGet, token, http.StatusOK); err != nil {
			return "", err
		}
	}
	d.issuer.Revoke(token)
	revoked := time.Now()

	passed := make([]string, len(d.apis))
	var group errgroup.Group
	for i, a := range d.apis {
		group.Go(func() error {
			last, err := d.lastPass(ctx, a, token, revoked)
			passed[i] = fmt.Sprintf("%.2f s on %s", last.Seconds(), a.name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	return fmt.Sprintf("It still passed for %s, and was refused from then on; the configured limit is %v.", strings.Join(passed, ", "), revocationLimit), nil
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
		if err := wait(ctx, 5*time.Millisecond); err != nil {
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
	return "A revoked token still passed GET from the cache; DELETE, which asks the issuer at each request, refused it at once, and from then on GET did, too.", nil
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
	return "Bound to its owner's key, it was refused on each API as a bearer token, with another key, and with the owner's proof sent again; its owner got through before and after.", nil
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
	for _, a := range d.apis {
		if _, err := d.expect(ctx, a, http.MethodGet, first, http.StatusOK); err != nil {
			return "", fmt.Errorf("after the outage: %w", err)
		}
	}
	return fmt.Sprintf("A new JWT passed by the known keys. An opaque token not seen before got 503 with Retry-After: %s, and passed once the issuer was back.", retryAfter), nil
}

// expect sends one request and fails if the status is another one.
func (d *demo) expect(ctx context.Context, a *api, method, token string, status int) (answer, error) {
	got, err := d.call(ctx, a, method, token)
	if err == nil && got.status != status {
		err = fmt.Errorf("%s answered %d, expected %d: %s", a.name, got.status, status, got.reason)
	}
	return got, err
}
