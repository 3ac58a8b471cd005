package validator

import (
	"context"
	"errors"
	"fmt"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/turns"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator/internal/registry"
)

const maxIssuerURL = 2048

// newResolved makes the table of what a Resolver finds.
func (v *Validator) newResolved(r Resolver, limit, perSecond int) resolved {
	cfg := registry.Config[Issuer, *issuer]{
		Limit:     limit,
		PerSecond: float64(perSecond),
		Ask:       r.ResolveIssuer,
		Unknown:   func(err error) bool { return errors.Is(err, ErrUnknownIssuer) },
		Make:      v.makeResolved,
		Close:     (*issuer).close,
		Use:       func(i *issuer) *registry.Use { return i.lastUse },
	}
	if v.observer.Start != nil {
		cfg.Begin = func(ctx context.Context, url string, cause context.Context) (context.Context, func(error)) {
			return v.observer.Begin(ctx, observe.Operation{Kind: observe.Resolve, Issuer: url, Cause: cause})
		}
	}
	return registry.New(cfg)
}

// makeResolved compiles what a Resolver said of url.
func (v *Validator) makeResolved(url string, said Issuer) (*issuer, error) {
	if said.URL != url {
		return nil, resolverFailed("the Resolver returned issuer %s for %s", quote.Beside(said.URL, url), quote.Beside(url, said.URL))
	}
	i, faults := v.newIssuer(said)
	faults = append(faults, resolvedFaults(said)...)
	if len(faults) > 0 {
		i.close()
		return nil, resolverFailed("the Resolver returned a wrong configuration: %w", errors.Join(faults...))
	}
	i.lastUse = new(registry.Use)
	v.asksOf(i)
	return i, nil
}

// ForgetIssuer drops what Config.Resolver said of url, and every proof that was
// made with that issuer: the next token that names it asks the Resolver again.
// It ends what was started for the issuer and waits for it, so Config.Observer
// must not call it. Issuers in Config.Issuers stay.
func (v *Validator) ForgetIssuer(url string) {
	if v.made() && v.resolved != nil {
		v.resolved.Forget(url)
	}
}

// resolve returns the issuer with this URL, from memory or from the Resolver.
func (v *Validator) resolve(ctx context.Context, url, source string) (*issuer, error) {
	if len(url) > maxIssuerURL {
		return nil, unknownIssuer(url)
	}
	i, err := v.resolved.Find(ctx, url, source)
	if err == nil {
		return i, nil
	}
	if _, ours := err.(*Error); ours { // of makeResolved
		return nil, err
	}
	failed, ofResolver := err.(*registry.AskError)
	switch {
	case ofResolver:
		return nil, resolverFailed("the Resolver failed for issuer %s: %w", quote.Value(url), failed.Err)
	case err == registry.ErrUnknown:
		return nil, unknownIssuer(url)
	case err == registry.ErrClosed, err == turns.ErrClosed:
		return nil, errClosed
	case err == registry.ErrForgotten:
		return nil, errForgotten
	case err == registry.ErrTaken, errors.Is(err, turns.ErrShare):
		return nil, throttled(err)
	case ctx.Err() != nil:
		return nil, gaveUp(ctx)
	}
	e := unavailable(0, err)
	e.text = "too many new issuers are being looked up (Config.ResolvesPerSecond)"
	return nil, e
}

func unknownIssuer(url string) error {
	return &Error{check: CheckIssuer, text: "the Resolver knows no such issuer", got: []string{url}, hint: "Config.Resolver; iss is looked up byte for byte"}
}

func resolverFailed(format string, args ...any) *Error {
	e := unavailable(0, fmt.Errorf(format, args...))
	e.hint = "Config.Resolver"
	return e
}
