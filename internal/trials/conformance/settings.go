package conformance

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// setting is a validator in a state, and what is asked then, in this order.
type setting struct {
	name   string
	mode   mode
	change func(t *testing.T, w *world, c *validator.Config) // nil for none
	cases  func(*world) []Case
}

var settings = func() (all []setting) {
	for _, m := range modes {
		all = append(all,
			setting{m.name, m, nil, tokens},
			setting{m.name + ", issuer down", m, down, whileDown},
			setting{m.name + ", revocation", m, revocable, revocations})
	}
	for _, m := range []mode{modes[0], modes[2]} {
		all = append(all, setting{"DPoP, " + m.name, m, proving, proofs})
	}
	return append(all,
		setting{"policies", modes[1], nil, policies},
		setting{"throttled", modes[1], oneAtOnce, whileThrottled},
		setting{"list not there", modes[1], unfilled, whileUnfilled},
		setting{"DPoP, bound tokens only", modes[0], provingOnly, proofsOnly},
		setting{"DPoP, nonces", modes[0], withNonces, nonces},
		setting{"DPoP, store down", modes[0], withoutStore, whileStoreDown},
		setting{"certificates", modes[0], withCertificates, certificates},
		setting{"DPoP and certificates", modes[0], withBoth, proofsAndCertificates},
	)
}()

// world is a setting under way.
type world struct {
	mode
	iss          *issuertest.Issuer
	list         *revocation.List
	validator    *validator.Validator
	publicURL    string
	certificates bool
	answer       chan struct{} // closed when a throttled issuer may answer
	ended        chan error    // of those who asked before

	mu     sync.Mutex
	events []event // that the observer was told of since forget
}

func (s *setting) start(t *testing.T) *world {
	t.Helper()
	w := &world{mode: s.mode, iss: issuertest.New(t)}
	cfg := validator.Config{
		Issuers: []validator.Issuer{s.mode.issuer(w.iss)},
		Observer: observe.Observer{Event: func(_ context.Context, e *observe.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, event{validator.Check(e.Check), e.ReportOnly})
		}},
	}
	if s.change != nil {
		s.change(t, w, &cfg)
	}
	v, err := validator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	w.validator = v
	return w
}

func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = nil
}

func (w *world) told() []event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events
}

// event is what the list holds observers to: why, and whether it was let through.
type event struct {
	check      validator.Check
	reportOnly bool
}

// mode is a way to prove tokens, with the tokens that go with it.
type mode struct {
	name   string
	issuer func(*issuertest.Issuer) validator.Issuer
	token  func(*issuertest.Issuer, issuertest.Claims) string
	bad    func(*issuertest.Issuer, issuertest.Bad, issuertest.Claims) string
}

var modes = []mode{
	{"JWT", func(iss *issuertest.Issuer) validator.Issuer {
		return validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}}
	}, (*issuertest.Issuer).Token, (*issuertest.Issuer).Bad},
	{"JWT, or asked", func(iss *issuertest.Issuer) validator.Issuer {
		return validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{}, Introspection: asking()}
	}, (*issuertest.Issuer).Token, (*issuertest.Issuer).Bad},
	{"opaque", func(iss *issuertest.Issuer) validator.Issuer {
		asked := asking()
		asked.Endpoint = iss.IntrospectionURL()
		return validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}, Introspection: asked}
	}, (*issuertest.Issuer).Opaque, (*issuertest.Issuer).BadOpaque},
}

func asking() *introspection.Config {
	return &introspection.Config{Auth: introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret))}
}

// down begins with the issuer down: nothing is known yet, and that says nothing about a
// token.
func down(_ *testing.T, w *world, _ *validator.Config) {
	for _, endpoint := range []issuertest.Endpoint{issuertest.Discovery, issuertest.JWKS, issuertest.Introspection} {
		w.iss.SetFault(endpoint, issuertest.Down())
	}
}

func revocable(t *testing.T, w *world, c *validator.Config) {
	unfilled(t, w, c)
	w.list.Current(time.Now())
}

// unfilled has a list that nobody has filled yet.
func unfilled(t *testing.T, w *world, c *validator.Config) {
	list, err := revocation.New(revocation.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(list.Close)
	w.list, c.Revocations = list, list
}

// block revokes what a client holds.
func (w *world) block(client string) func(*testing.T) {
	return func(t *testing.T) {
		record, err := w.list.Record(revocation.Block(revocation.Client(w.iss.URL(), client)), 1)
		if err == nil {
			err = w.list.Merge(record)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func proving(_ *testing.T, w *world, c *validator.Config) {
	w.publicURL, c.DPoP = PublicURL, &dpop.Config{}
}

func provingOnly(t *testing.T, w *world, c *validator.Config) {
	proving(t, w, c)
	c.Issuers[0].Binding = validator.BindingRequired
}

func withNonces(t *testing.T, w *world, c *validator.Config) {
	proving(t, w, c)
	c.DPoP.Nonces = fixedNonces{}
}

// The nonces of the list.
const (
	goodNonce   = "good-nonce"
	endingNonce = "ending-nonce" // good, and time for another
	nextNonce   = "next-nonce"   // that is handed out
)

type fixedNonces struct{}

func (fixedNonces) Nonce(context.Context) (string, error) { return nextNonce, nil }

func (fixedNonces) Judge(_ context.Context, nonce string) (dpop.Judgement, error) {
	switch nonce {
	case goodNonce:
		return dpop.NonceGood, nil
	case endingNonce:
		return dpop.NonceEnding, nil
	}
	return dpop.NonceBad, nil
}

func withoutStore(t *testing.T, w *world, c *validator.Config) {
	proving(t, w, c)
	c.DPoP.Replays = brokenStore{}
}

// brokenStore remembers nothing.
type brokenStore struct{}

func (brokenStore) Remember(context.Context, dpop.Seen, time.Duration) (bool, error) {
	return true, errors.New("the store is down")
}

func withCertificates(_ *testing.T, w *world, _ *validator.Config) { w.certificates = true }

func withBoth(t *testing.T, w *world, c *validator.Config) {
	withCertificates(t, w, c)
	proving(t, w, c)
}

// oneAtOnce lets one token be asked about at a time, which lasts until release, and one
// wait.
func oneAtOnce(_ *testing.T, w *world, c *validator.Config) {
	const long = time.Hour // no test waits for it
	asked := c.Issuers[0].Introspection
	asked.MaxConcurrent, asked.MaxWaiting, asked.MaxWait, asked.RequestTimeout = 1, 1, long, long
	w.answer, w.ended = make(chan struct{}), make(chan error, 3)
	w.iss.SetFault(issuertest.Introspection, func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-w.answer:
		case <-r.Context().Done():
		}
		next.ServeHTTP(rw, r)
	})
}

// Source is who seems to call: the host that the clients of all drivers have.
const Source = "127.0.0.1"

// busy has one of Source's tokens asked about and another one wait.
func (w *world) busy(t *testing.T) {
	for range cap(w.ended) {
		token := w.iss.Opaque(read)
		go func() {
			_, err := w.validator.VerifyRequest(context.Background(), &validator.Request{Scheme: "Bearer", Token: token, Source: Source}, nil)
			w.ended <- err
		}()
	}
	if err := <-w.ended; !errors.Is(err, validator.ErrThrottled) {
		t.Fatalf("of three at once the first one got %v", err)
	}
}

// release has both answered.
func (w *world) release(t *testing.T) {
	close(w.answer)
	for range cap(w.ended) - 1 {
		if err := <-w.ended; err != nil {
			t.Errorf("who waited got %v", err)
		}
	}
}
