package siege_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// crowd is honest callers whose tokens nobody has seen yet.
type crowd struct {
	requests, distinct int
	within             time.Duration // 0: all at once
	latency            time.Duration
	sources            int
}

// come sends a crowd to a house, and returns when the last was answered.
func (c crowd) come(h *house, send func(group, source, path, token string) int) time.Duration {
	began := time.Now()
	var all sync.WaitGroup
	batch, pause := c.requests, time.Duration(0)
	if c.within > 0 {
		pause = 10 * time.Millisecond
		batch = c.requests / int(c.within/pause)
	}
	for i := 0; i < c.requests; i++ {
		if i > 0 && i%batch == 0 {
			<-time.After(pause)
		}
		all.Go(func() {
			send("crowd", "pod-"+strconv.Itoa(i%c.sources), "/orders", "good-"+strconv.Itoa(i%c.distinct))
		})
	}
	all.Wait()
	return time.Since(began)
}

// TestHonestCrowds: after a deploy, or when a batch begins, thousands come with
// tokens that are new here. With the settings that everybody has, none is refused.
func TestHonestCrowds(t *testing.T) {
	for name, c := range map[string]crowd{
		"200 at once, slow endpoint":  {200, 200, 0, 200 * time.Millisecond, 1},
		"200 at once, of 200 sources": {200, 200, 0, 200 * time.Millisecond, 200},
		"6,000 with 5,000 tokens":     {6000, 5000, 0, 5 * time.Millisecond, 1},
		"6,000 with 5,000, many pods": {6000, 5000, 0, 5 * time.Millisecond, 60},
		"2,000 a second for 3 s":      {6000, 6000, 3 * time.Second, 20 * time.Millisecond, 1},
		"2,000 a second, many pods":   {6000, 6000, 3 * time.Second, 20 * time.Millisecond, 30},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{latency: c.latency}
				h := furnish(t, d, introspection.Config{
					Endpoint: "https://id.example.test/introspect", HTTPClient: &http.Client{Transport: inMemory{d}},
				}, nil)
				took := c.come(h, h.knock)
				by, _, _ := h.answers("crowd")
				t.Logf("%v in %v, %d calls, %d at once at most", by, took, d.asked(), d.peak)
				if by[http.StatusOK] != c.requests {
					t.Errorf("answered %v, wanted %d let in: %v", by, c.requests, h.why)
				}
				if d.asked() > c.distinct {
					t.Errorf("%d calls for %d tokens", d.asked(), c.distinct)
				}
			})
		})
	}
}

// TestHonestCrowdsOnSockets is the same with real sockets to the endpoint, in
// numbers that a busy machine can serve in time.
func TestHonestCrowdsOnSockets(t *testing.T) {
	for name, c := range map[string]crowd{
		"200 at once, slow endpoint": {200, 200, 0, 200 * time.Millisecond, 1},
		"1,200 with 1,000 tokens":    {1200, 1000, 0, 5 * time.Millisecond, 4},
		"400 a second for 2 s":       {800, 800, 2 * time.Second, 20 * time.Millisecond, 4},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{latency: c.latency}
			h := openHouse(t, d, introspection.Config{MaxWait: patience}, nil)
			if c.within == 0 && c.distinct == 200 {
				h = openHouse(t, d, introspection.Config{}, nil)
			}
			took := c.come(h, h.knock)
			by, _, _ := h.answers("crowd")
			t.Logf("%v in %v, %d calls, %d at once at most", by, took, d.asked(), d.peak)
			if by[http.StatusOK] != c.requests {
				t.Errorf("answered %v, wanted %d let in: %v", by, c.requests, h.why)
			}
		})
	}
}

// tenants is a Resolver, and the key sets of those whom it finds.
type tenants struct {
	keys     []byte
	now, top atomic.Int64
}

func (r *tenants) ResolveIssuer(ctx context.Context, url string) (validator.Issuer, error) {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-ctx.Done():
		return validator.Issuer{}, ctx.Err()
	}
	if !strings.HasPrefix(url, "https://tenant-") {
		return validator.Issuer{}, validator.ErrUnknownIssuer
	}
	return validator.Issuer{
		URL: url, Audience: []string{issuertest.Audience},
		Keys: &jwks.Config{URL: url + "/keys", HTTPClient: &http.Client{Transport: inMemory{http.HandlerFunc(r.serve)}}},
	}, nil
}

func (r *tenants) serve(w http.ResponseWriter, _ *http.Request) {
	n := r.now.Add(1)
	defer r.now.Add(-1)
	for top := r.top.Load(); n > top && !r.top.CompareAndSwap(top, n); top = r.top.Load() {
	}
	<-time.After(20 * time.Millisecond)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(r.keys)
}

// TestCrowdOfResolvedIssuers: a thousand customers' first tokens come at once.
func TestCrowdOfResolvedIssuers(t *testing.T) {
	const issuers = 1000
	for _, sources := range []int{1, 50} {
		t.Run(fmt.Sprint(sources, " sources"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				r := &tenants{keys: keySet(public("ed25519-a", "ed"))}
				v, err := validator.New(validator.Config{Resolver: r, Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}}})
				if err != nil {
					t.Fatal(err)
				}
				defer v.Close()
				var all sync.WaitGroup
				began := time.Now()
				for i := range issuers {
					all.Go(func() {
						url := fmt.Sprintf("https://tenant-%d.example.test", i)
						token := iss.SignWith("ed25519-a", []byte(`{"alg":"EdDSA","kid":"ed"}`), claimsOf(url), "EdDSA")
						_, err := v.VerifyRequest(t.Context(), &validator.Request{Token: token, Source: strconv.Itoa(i % sources)}, nil)
						if err != nil {
							t.Errorf("tenant %d: %v", i, err)
						}
					})
				}
				all.Wait()
				t.Logf("all in %v, %d key sets at once at most", time.Since(began), r.top.Load())
			})
		})
	}
}

func claimsOf(url string) []byte {
	return fmt.Appendf(nil, `{"iss":%q,"aud":%q,"exp":%d,"scope":%q}`, url, issuertest.Audience, time.Now().Add(time.Hour).Unix(), scope)
}

// TestCrowdUnderCostlyKeys: signatures that cost twenty times the usual have few
// turns, and whoever said how long to wait for one is let in.
func TestCrowdUnderCostlyKeys(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	iss.SetJWKS(keySet(public("p384", "p384")), nil)
	const once, most = 50, 5000
	sign := func() string { return by(iss, "p384", "p384", "ES384") }
	v, err := validator.New(validator.Config{
		VerifyWait: time.Minute,
		Observer:   observe.Observer{Event: func(context.Context, *observe.Event) {}},
		Issuers: []validator.Issuer{{
			URL: iss.URL(), Audience: []string{issuertest.Audience}, Algorithms: []string{"ES384"},
			Keys: &jwks.Config{HTTPClient: iss.Client()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	began := time.Now()
	for range once {
		if _, err := v.Verify(t.Context(), sign()); err != nil {
			t.Fatal(err)
		}
	}
	// Fewer where a signature takes long, as under the race detector.
	tokens := make([]string, min(most, int(once*4*time.Second/time.Since(began))))
	var signing, all sync.WaitGroup
	for part := range 4 {
		signing.Go(func() {
			for i := part; i < len(tokens); i += 4 {
				tokens[i] = sign()
			}
		})
	}
	signing.Wait()
	began = time.Now()
	for i, token := range tokens {
		all.Go(func() {
			if _, err := v.VerifyRequest(t.Context(), &validator.Request{Token: token, Source: strconv.Itoa(i % 7)}, nil); err != nil {
				t.Errorf("token %d: %v", i, err)
			}
		})
	}
	all.Wait()
	t.Logf("%d tokens in %v", len(tokens), time.Since(began).Round(10*time.Millisecond))
}

// TestMadeUpTokensCostTheEndpointLittle floods with random tokens under the
// settings that everybody has.
func TestMadeUpTokensCostTheEndpointLittle(t *testing.T) {
	for name, others := range map[string]http.HandlerFunc{"inactive": nil, "401": saysOf(401, "", ""), "500": saysOf(500, "", "")} {
		for _, sources := range []int{1, 4, 500} {
			t.Run(fmt.Sprint(name, ", sources ", sources), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const seconds, atOnce = 20, 600
					began := time.Now()
					var calls [seconds + 5]int
					d := &desk{latency: 5 * time.Millisecond, others: others, begun: func(string) { calls[min(int(time.Since(began)/time.Second), seconds+4)]++ }}
					h := furnish(t, d, introspection.Config{
						Endpoint: "https://id.example.test/introspect", HTTPClient: &http.Client{Transport: inMemory{d}},
					}, nil)
					h.knock("warm", "warm", "/orders", "good-known")
					var all sync.WaitGroup
					for worker := range atOnce {
						all.Go(func() {
							for i := 0; time.Since(began) < seconds*time.Second; i++ {
								if h.knock("strangers", strconv.Itoa(worker%sources), "/orders", fmt.Sprintf("made-up-%d-%d", worker, i)) != 401 {
									<-time.After(20 * time.Millisecond)
								}
							}
						})
					}
					all.Wait()
					by, _, run := h.answers("strangers")
					t.Logf("calls in each second %v; answers %v, %d 5xx in a row", calls, by, run)
					for second, n := range calls {
						if second >= 2 && n > 501 { // and a control
							t.Errorf("%d calls in second %d, wanted 500 at most", n, second)
						}
					}
				})
			})
		}
	}
}
