package validator

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/turns"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator/internal/registry"
	"github.com/m2mguard/m2mguard/validator/internal/slots"
)

// issuer is a compiled Issuer.
type issuer struct {
	url               string
	audience          []string
	ours              map[string]bool // the same names
	longestName       int             // of those, in bytes
	missingAudienceOK bool
	clients           []string // nil: all
	appOnly           bool
	answerIDOK        bool
	trustDomain       string // of SPIFFE IDs in sub; empty for none
	maxLifetime       time.Duration
	opaquePrefix      []string
	endless           []string // what as exp of an answer says that there is none
	algorithms        []string // canonical
	profile           Profile
	keys              *jwks.KeySet          // nil: introspected only
	introspection     *introspection.Client // nil: JWTs only
	refreshAhead      time.Duration         // introspection's
	answerKeys        *jwks.KeySet          // for signed answers of an issuer without keys
	slots             slots.Slots
	lastUse           *registry.Use // nil: configured, not resolved
	closed            atomic.Bool
}

// used notes that a token of i was accepted.
func (i *issuer) used() {
	if i.lastUse != nil {
		i.lastUse.Mark()
	}
}

// close ends what was started for i and waits for it.
func (i *issuer) close() {
	i.closed.Store(true)
	if i.keys != nil {
		i.keys.Close()
	}
	if i.introspection != nil {
		i.introspection.Close()
	}
	if i.answerKeys != nil {
		i.answerKeys.Close()
	}
}

// signatures are buffers for the longest one that any algorithm makes.
var signatures = sync.Pool{New: func() any { return new([jws.MaxRSABits / 8]byte) }}

// verifySignature is the one expensive step, so it needs one of the issuer's
// slots, and one of all issuers together.
func (v *Validator) verifySignature(ctx context.Context, i *issuer, t *jwt, key *jwks.Key, source string) (verified bool, err error) {
	if t.Signature == "" {
		return false, &Error{check: CheckSignature, flaw: absent, cause: jws.ErrSignature, got: []string{t.header.KeyID}}
	}
	buffer := signatures.Get().(*[jws.MaxRSABits / 8]byte)
	defer func() {
		clear(buffer[:]) // header and payload may be in a cache
		signatures.Put(buffer)
	}()
	signature, err := jws.AppendDecode(buffer[:0], t.Signature)
	if err != nil {
		return false, refuse(CheckEncoding, "the signature "+err.Error())
	}
	own, all := i.slots.Of(key.Public()), v.slots.Of(key.Public())
	mine, err := own.Acquire(ctx, source)
	if err != nil {
		return false, noSlot(ctx, err)
	}
	defer own.Release(mine)
	shared, err := all.Acquire(ctx, source)
	if err != nil {
		return false, noSlot(ctx, err)
	}
	defer all.Release(shared)
	return jws.Verify(t.header.canonical, key.Public(), t.SigningInput, signature) == nil, nil
}

// noSlot says why a request got no slot.
func noSlot(ctx context.Context, err error) *Error {
	switch {
	case ctx.Err() != nil:
		return gaveUp(ctx)
	case errors.Is(err, turns.ErrShare):
		return throttled(err)
	}
	return errBusy
}

// nowhere stands for an address that New has refused already, so that what else
// is wrong is told, and this once.
const nowhere = "https://issuer.invalid"

// newIssuer compiles c and reports its faults.
func (v *Validator) newIssuer(c Issuer) (*issuer, []error) {
	i, faults := settleIssuer(c)
	i.slots = slots.New(v.verifySlots, v.verifyWait)
	from := c.URL
	if c.refusals != nil || cmp.Or(checkIdentifier(c.URL), c.discovery().check(c.URL)) != "" {
		from = nowhere
	}
	var err error
	if c.Keys != nil || c.Introspection == nil {
		if i.keys, err = v.newKeys(c, from, i.algorithms); err != nil {
			faults = append(faults, issuerFaults(c, "Keys", err)...)
		}
	}
	if c.Introspection != nil {
		if i.introspection, err = v.newIntrospection(c, from, i); err != nil {
			faults = append(faults, issuerFaults(c, "Introspection", err)...)
		}
	}
	return i, faults
}

// newKeys makes the key set, discovered from an issuer unless c.Keys says where
// it is.
func (v *Validator) newKeys(c Issuer, from string, algorithms []string) (*jwks.KeySet, error) {
	var cfg jwks.Config
	if c.Keys != nil {
		cfg = *c.Keys
	}
	if discovers(&cfg) {
		cfg.Issuer = from
	}
	if cfg.Algorithms == nil {
		cfg.Algorithms = algorithms
	}
	cfg.DangerouslyAllowHTTP = cfg.DangerouslyAllowHTTP || c.DangerouslyAllowHTTP
	cfg.Observer = v.watch(c.URL, cfg.Observer)
	return jwks.New(cfg)
}

func (v *Validator) newIntrospection(c Issuer, from string, i *issuer) (*introspection.Client, error) {
	cfg := *c.Introspection
	i.refreshAhead, i.endless = cfg.RefreshAhead, slices.Clone(cfg.NoExpiry)
	if c.SignedAnswersFor != "" && cfg.Introspector == nil {
		keys := i.keys
		if keys == nil {
			var err error
			c.Keys = &jwks.Config{HTTPClient: cfg.HTTPClient}
			if keys, err = v.newKeys(c, from, i.algorithms); err != nil {
				return nil, err
			}
			i.answerKeys = keys
		}
		cfg.Answers = &answerVerifier{issuer: c.URL, clientID: c.SignedAnswersFor, algorithms: i.algorithms, keys: keys, now: v.now, skew: v.skew}
	}
	if cfg.Issuer == "" && cfg.Endpoint == "" && cfg.Introspector == nil {
		cfg.Issuer = from
	}
	if cfg.Now == nil {
		cfg.Now = v.now
	}
	cfg.DangerouslyAllowHTTP = cfg.DangerouslyAllowHTTP || c.DangerouslyAllowHTTP && cfg.Introspector == nil
	cfg.Observer = v.watch(c.URL, cfg.Observer)
	return introspection.New(cfg)
}
