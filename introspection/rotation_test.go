package introspection_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// rotating is a server that takes one secret at a time, each request on its way
// for a millisecond before it is looked at and another one after, and the vault
// that this resource server reads.
type rotating struct {
	server, vault atomic.Value
	asked         atomic.Int64
	refused       atomic.Int64
	tenant        string // the header field X-Tenant that it wants
	plain         bool   // it says no more than 401
}

func newRotating(secret string) *rotating {
	r := new(rotating)
	r.server.Store(secret)
	r.vault.Store(secret)
	return r
}

func (r *rotating) RoundTrip(req *http.Request) (*http.Response, error) {
	r.asked.Add(1)
	elapse(time.Millisecond)
	_, secret, ok := req.BasicAuth()
	if !ok {
		if err := req.ParseForm(); err != nil {
			return nil, err
		}
		secret = req.PostForm.Get("client_secret")
	}
	status, body := 200, activeBody
	if req.Header.Get("X-Tenant") != r.tenant {
		return nil, errDown
	}
	if secret != r.server.Load() {
		r.refused.Add(1)
		status, body = 401, `{"error":"invalid_client"}`
		if r.plain {
			body = ""
		}
	}
	elapse(time.Millisecond)
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

func (r *rotating) secret(context.Context) (string, error) { return r.vault.Load().(string), nil }

func (r *rotating) client(t *testing.T, method func(string, introspection.SecretFunc) introspection.ClientAuth) *introspection.Client {
	return newClient(t, nil, func(cfg *introspection.Config) {
		cfg.Auth = method("api", r.secret)
		if _, own := cfg.Auth.(withTenant); own {
			r.tenant = "a"
		}
		cfg.HTTPClient = &http.Client{Transport: r}
		cfg.MaxPerSecond = -1
	})
}

var secretMethods = map[string]func(string, introspection.SecretFunc) introspection.ClientAuth{
	"client_secret_basic": introspection.ClientSecretBasic,
	"client_secret_post":  introspection.ClientSecretPost,
	"one of the user's own": func(id string, secret introspection.SecretFunc) introspection.ClientAuth {
		return withTenant(func() introspection.ClientAuth { return introspection.ClientSecretBasic(id, secret) })
	},
}

// withTenant is a user's ClientAuth around one of ours, which it makes anew for
// each request.
type withTenant func() introspection.ClientAuth

func (inner withTenant) Authenticate(ctx context.Context, req *introspection.Request) error {
	req.Header.Set("X-Tenant", "a")
	return inner().Authenticate(ctx, req)
}

// TestRotationUnderLoad changes the secret again and again while six callers
// ask about ever new tokens: whichever side is first, and however long the
// other one takes within its bound, no request fails.
func TestRotationUnderLoad(t *testing.T) {
	const callers, rotations = 6, 8
	for method, auth := range secretMethods {
		for _, test := range []struct {
			vaultFirst bool
			gap        time.Duration
		}{
			{true, 0}, {true, time.Microsecond}, {true, 1500 * time.Microsecond}, {true, 150 * time.Millisecond}, {true, 5 * time.Second},
			{false, 0}, {false, time.Microsecond}, {false, 1500 * time.Microsecond}, {false, 20 * time.Millisecond}, {false, 190 * time.Millisecond},
		} {
			t.Run(fmt.Sprintf("%s, vault first: %v, %v apart", method, test.vaultFirst, test.gap), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRotating("secret-0")
					c := r.client(t, auth)
					expect(t, c, "the first", "active")
					done := make(chan struct{})
					var load sync.WaitGroup
					for caller := range callers {
						load.Go(func() {
							for n := 0; ; n++ {
								select {
								case <-done:
									return
								default:
								}
								token := fmt.Sprintf("%d-%d", caller, n)
								if res, err := c.Introspect(context.Background(), token); verdict(res, err) != "active" {
									t.Errorf("%s: %s (%v)", token, verdict(res, err), err)
								}
								elapse(min(test.gap, time.Second))
							}
						})
					}
					for n := range rotations {
						secret := fmt.Sprintf("secret-%d", n+1)
						first, second := &r.server, &r.vault
						if test.vaultFirst {
							first, second = second, first
						}
						// Between two rotations every caller is answered once at least.
						elapse(2*min(test.gap, time.Second) + 7*time.Millisecond + 300*time.Microsecond*time.Duration(n))
						first.Store(secret)
						elapse(test.gap)
						second.Store(secret)
					}
					elapse(2*min(test.gap, time.Second) + 10*time.Millisecond)
					close(done)
					load.Wait()
					if r.refused.Load() == 0 && test.gap > 10*time.Millisecond {
						t.Error("no secret was refused, so this test shows nothing")
					}
				})
			})
		}
	}
}

// TestRotationOverSockets is the same in real time: with real connections, and
// rotations at any moment.
func TestRotationOverSockets(t *testing.T) {
	for _, vaultFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("vault first: %v", vaultFirst), func(t *testing.T) {
			var server, vault atomic.Value
			server.Store("secret-0")
			vault.Store("secret-0")
			c := overSocket(t, checksSecret(&server, reply(401, jsonType, `{"error":"invalid_client"}`)), func(cfg *introspection.Config) {
				cfg.Auth = introspection.ClientSecretBasic("api", current(&vault))
				cfg.MaxPerSecond = -1
			})
			expect(t, c, "the first", "active")
			var answered [8]atomic.Int64
			done := make(chan struct{})
			var load sync.WaitGroup
			for caller := range answered {
				load.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-done:
							return
						default:
						}
						token := fmt.Sprintf("%d-%d", caller, n)
						if r, err := c.Introspect(context.Background(), token); verdict(r, err) != "active" {
							t.Errorf("%s: %s (%v)", token, verdict(r, err), err)
						}
						answered[caller].Add(1)
					}
				})
			}
			// progress waits until each caller has asked a question anew, and has
			// been answered.
			progress := func() {
				tick := time.NewTicker(100 * time.Microsecond)
				defer tick.Stop()
				for caller := range answered {
					for end := answered[caller].Load() + 2; answered[caller].Load() < end; {
						<-tick.C
					}
				}
			}
			for n := range 20 {
				progress()
				secret := fmt.Sprintf("secret-%d", n+1)
				if vaultFirst {
					vault.Store(secret)
					progress()
					server.Store(secret)
				} else {
					server.Store(secret)
					<-time.After(time.Millisecond) // nobody passes now
					vault.Store(secret)
				}
			}
			progress()
			close(done)
			load.Wait()
		})
	}
}

// TestVaultThatFollowsTooLate: requests fail after a wait, the later ones at
// once, and all is well when the vault has followed.
func TestVaultThatFollowsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRotating("old")
		c := r.client(t, introspection.ClientSecretBasic)
		expect(t, c, "a", "active")
		r.server.Store("new")
		for n, want := range []time.Duration{202 * time.Millisecond, 2 * time.Millisecond} {
			start := time.Now()
			expect(t, c, tokenNumber(n), "unavailable")
			if waited := time.Since(start); waited != want {
				t.Errorf("request %d failed after %v, want %v", n, waited, want)
			}
		}
		r.vault.Store("new")
		expect(t, c, "b", "active")
		if r.asked.Load() != 5 { // the first failure was held against a control
			t.Errorf("asked %d times, want 5", r.asked.Load())
		}
	})
}

// TestWaitingForTheVaultEndsWithTheRequest, and with the client.
func TestWaitingForTheVaultEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRotating("old")
		c := newClient(t, nil, func(cfg *introspection.Config) {
			cfg.Auth, cfg.HTTPClient = introspection.ClientSecretBasic("api", r.secret), &http.Client{Transport: r}
			cfg.RequestTimeout = 50 * time.Millisecond
		})
		expect(t, c, "a", "active")
		r.server.Store("new")
		start := time.Now()
		expect(t, c, "b", "unavailable")
		if waited := time.Since(start); waited != 52*time.Millisecond {
			t.Errorf("waited %v, want RequestTimeout after the refusal, which took 2ms", waited)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRotating("old")
		c := r.client(t, introspection.ClientSecretBasic)
		expect(t, c, "a", "active")
		r.server.Store("new")
		var waiting sync.WaitGroup
		waiting.Go(func() { expect(t, c, "b", "unavailable") })
		elapse(20 * time.Millisecond)
		start := time.Now()
		c.Close()
		waiting.Wait()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Close waited %v", waited)
		}
	})
}

// TestLostSecret: with neither of two secrets, a token is asked about twice, and so
// is the control; and the secret from before is not tried again.
func TestLostSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRotating("one")
		c := r.client(t, introspection.ClientSecretPost)
		expect(t, c, "a", "active")
		r.server.Store("two")
		r.vault.Store("three")
		for n, want := range []int64{4, 1} { // the new one and the old one, and so for the control; then the new one alone
			before := r.asked.Load()
			expect(t, c, tokenNumber(n), "unavailable")
			if got := r.asked.Load() - before; got != want {
				t.Errorf("request %d was sent %d times, want %d", n, got, want)
			}
		}
	})
}
