package validator

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/m2mguard/m2mguard/internal/memo"
	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/slots"
	"github.com/m2mguard/m2mguard/validator/internal/cache"
	"github.com/m2mguard/m2mguard/validator/internal/fingerprint"
	"github.com/m2mguard/m2mguard/validator/internal/flights"
	"github.com/m2mguard/m2mguard/validator/internal/wheel"
)

// New compiles cfg. It reports every fault of cfg at once, makes no request and
// starts no goroutine: an issuer that is down does not keep a program from
// starting.
func New(cfg Config) (*Validator, error) {
	s, faults := cfg.settle()
	v := &Validator{
		settings:     s,
		given:        cfg.alone(),
		limits:       limitsOf(s.maxToken),
		issuers:      make(map[string]*issuer, len(cfg.Issuers)),
		opaqueIssuer: cfg.OpaqueIssuer,
		fingerprints: fingerprint.New(),
		headers:      memo.New(headersPerIssuer*len(cfg.Issuers), header.clone),
		flights:      flights.New[verification, *proof](leaderGaveUp),
	}
	if v.streams = wheel.New(nil); s.revoked != nil {
		v.streams = wheel.New(s.revoked)
	}
	v.slots = slots.New(2*s.verifySlots, s.verifyWait) // whatever one issuer takes, as many are left
	if len(cfg.Issuers) == 0 && cfg.Resolver == nil {
		faults = append(faults, errors.New("validator: Config.Issuers is empty, wanted at least one"))
	}
	for n, c := range cfg.Issuers {
		c.place = n + 1
		i, f := v.newIssuer(c)
		faults = append(faults, f...)
		if v.issuers[c.URL] != nil && c.URL != "" && c.refusals == nil {
			faults = append(faults, issuerFault(c, "URL is configured twice"))
		}
		v.issuers[c.URL] = i
		v.issuerURLs = append(v.issuerURLs, c.URL)
		faults = append(faults, v.takeUnnamed(c, i, cfg.Resolver)...)
	}
	slices.Sort(v.issuerURLs)
	v.algorithms = v.allAlgorithms(cfg.Resolver)
	faults = append(faults, v.chooseIntrospector(cfg.Resolver)...)
	if err := cfg.nobodyToAsk(); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		v.Close()
		return nil, errors.Join(faults...)
	}
	if cfg.Resolver != nil {
		v.opaqueOnly = false
		limit := cmp.Or(cfg.MaxResolved, defaultMaxResolved)
		v.resolved = v.newResolved(cfg.Resolver, limit, cmp.Or(cfg.ResolvesPerSecond, defaultResolvesPerSecond))
		v.headers = memo.New(headersPerIssuer*(len(cfg.Issuers)+limit), header.clone)
	}
	for _, i := range v.issuers {
		v.asksOf(i)
	}
	if s.entries > 0 {
		v.cache = cache.New[proof](s.entries, s.maxToken)
	}
	v.sampleHits = uint64(max(0, s.observer.SampleHits))
	v.unwatch = sync.OnceFunc(v.observer.Offer(v))
	return v, nil
}

// asksOf tells the list of revocations whose tokens it is asked about, and for how long
// those are good.
func (v *Validator) asksOf(i *issuer) {
	if v.revoked == nil {
		return
	}
	most := i.maxLifetime
	if most > 0 {
		most += v.skew
	}
	v.revoked.Serves(i.url, most)
}

func (v *Validator) allAlgorithms(r Resolver) []string {
	if r != nil {
		return nil
	}
	var all []string
	for _, i := range v.issuers {
		if i.keys == nil {
			return nil
		}
		all = append(all, i.algorithms...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Ready is for a readiness probe: nil if the keys of every issuer in
// Config.Issuers can be used now and Config.Revocations is ready, else an error that
// matches ErrUnavailable and names the issuers.
// It fetches them if they are not there, so calling it once at start also warms
// the key sets up. Introspection is not asked, for there is no harmless question:
// a wrong secret or endpoint shows at the first token, as observe.IntrospectionFailed.
func (v *Validator) Ready(ctx context.Context) error {
	if !v.made() {
		return errNotMade
	}
	if v.closed.Load() {
		return errClosed
	}
	faults := make([]error, len(v.issuerURLs))
	var wg sync.WaitGroup
	for n, url := range v.issuerURLs {
		i := v.issuers[url]
		if keys := cmp.Or(i.keys, i.answerKeys); keys != nil {
			wg.Go(func() {
				if err := keys.Ready(ctx); err != nil {
					e := unavailableBecause(ctx, err)
					e.text = "Issuer " + quote.Value(url)
					faults[n] = e
				}
			})
		}
	}
	wg.Wait()
	if v.revoked != nil {
		if err := v.revoked.Ready(); err != nil {
			e := unavailable(0, err)
			e.hint = "what fills Config.Revocations"
			faults = append(faults, e)
		}
	}
	return errors.Join(faults...)
}

// Close ends what was started for v and waits for it: refreshes, calls under
// way, timers, contexts of Live. Verify then answers ErrUnavailable. Close may be called more
// than once, but not by Config.Observer.
func (v *Validator) Close() {
	if !v.made() {
		return
	}
	v.closed.Store(true)
	v.streams.Close()
	for _, i := range v.issuers {
		i.close()
	}
	if v.resolved != nil {
		v.resolved.Close()
	}
	if v.unwatch != nil {
		v.unwatch()
	}
	if v.log != nil {
		v.log.end()
	}
}
