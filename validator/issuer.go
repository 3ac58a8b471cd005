package validator

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/slots"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator/internal/registry"
)

// issuer is a compiled Issuer.
type issuer struct {
	url               string
	shown             string // as faults name it
	of                *Validator
	audience          []string
	ours              map[string]bool // the same names
	longestName       int             // of those, in bytes
	missingAudienceOK bool
	clients           []string // nil: all
	appOnly           bool
	answerIDOK        bool
	trustDomain       string // of SPIFFE IDs in sub; empty for none
	maxLifetime       time.Duration
	binding           Binding
	proofs            bool // of DPoP are checked
	opaquePrefix      []string
	endless           []string // what as exp of an answer says that there is none
	algorithms        []string // canonical
	profile           Profile
	conditions        []func(*Token) error  // see Issuer.Insist
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

// nowhere stands for an address that New has refused already, so that what else
// is wrong is told, and this once.
const nowhere = "https://issuer.invalid"

// newIssuer compiles c and reports its faults.
func (v *Validator) newIssuer(c Issuer) (*issuer, []error) {
	i, faults := settleIssuer(c)
	faults = append(faults, c.unmet(v.given)...)
	i.of, i.slots, i.proofs = v, slots.New(v.verifySlots, v.verifyWait), v.proofs != nil
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
	if cfg.Introspector != nil && cfg.Issuer == "" {
		cfg.Issuer = c.URL // so that Config.Shared tells two issuers apart
	}
	if cfg.Now == nil {
		cfg.Now = v.now
	}
	cfg.DangerouslyAllowHTTP = cfg.DangerouslyAllowHTTP || c.DangerouslyAllowHTTP && cfg.Introspector == nil
	cfg.Observer = v.watch(c.URL, cfg.Observer)
	return introspection.New(cfg)
}

// watch is the observer of an issuer's key set or introspection: one that the user
// gave it is told first, and the validator's by the URL that the user knows.
func (v *Validator) watch(url string, own observe.Observer) observe.Observer {
	ours := observe.Observer{Event: func(ctx context.Context, e *observe.Event) {
		told := *e
		told.Issuer.Text = url
		v.observer.Tell(ctx, &told)
	}}
	if v.observer.Start != nil {
		ours.Start = func(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
			op.Issuer = url
			return v.observer.Begin(ctx, op)
		}
	}
	return observe.Join(own, ours)
}

// audienceHint knows issuers that put no API, or their own, into aud by themselves.
func (i *issuer) audienceHint(audience []string) string {
	switch {
	case strings.Contains(i.url, "/realms/") && (len(audience) == 0 || slices.Contains(audience, "account")):
		return "Keycloak names an API in aud by an Audience mapper alone: add one with Issuer.Audience to a client scope of the client"
	case slices.Contains(audience, i.url):
		return "the token is for its issuer's own API: the client must ask for one with a name of Issuer.Audience in aud, as a pod of Kubernetes does by the audience of a projected volume, and a job of GitLab by id_tokens"
	case strings.HasPrefix(i.url, "https://token.actions.") && len(audience) == 1 && strings.HasPrefix(audience[0], "https://github.com/"):
		return "GitHub names the repository's owner in aud unless the job asks for a name of Issuer.Audience"
	case strings.HasSuffix(i.url, "/adfs/services/trust") && slices.Contains(audience, "urn:microsoft:userinfo"):
		return "AD FS issues such tokens to clients that name no resource: the client must ask with resource= and a name of Issuer.Audience"
	}
	return ""
}
