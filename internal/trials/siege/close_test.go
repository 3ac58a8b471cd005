package siege_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// counted is an issuer's endpoints on a server that counts its connections.
type counted struct {
	*httptest.Server
	open, ever atomic.Int64
}

// count serves iss's key set, and calls every opaque token active.
func count(t *testing.T, iss *issuertest.Issuer) *counted {
	t.Helper()
	resp, err := iss.Client().Get(iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	keys, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) })
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"active":true,"aud":%q,"scope":%q}`, issuertest.Audience, scope)
	})
	s := &counted{Server: httptest.NewUnstartedServer(mux)}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.open.Add(1)
			s.ever.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// TestCloseEndsConnections: with the default client, no connection to an issuer
// is left after Close, which may be called twice; requests after it get 503.
func TestCloseEndsConnections(t *testing.T) {
	iss := issuertest.New(t)
	server := count(t, iss)
	keys := quick()
	keys.URL = server.URL + "/jwks"
	ask := asked(iss, introspection.Config{Endpoint: server.URL + "/introspect"})
	a := listen(t, trusting(validator.Issuer{URL: iss.URL(), Keys: &keys, Introspection: ask}))
	known := fresh(iss)
	a.become(known, ok, unavailable)
	var clients sync.WaitGroup
	for range 20 {
		token := opaque(iss)
		clients.Go(func() { a.want(token, ok) })
	}
	clients.Wait()
	if server.ever.Load() < 2 || server.open.Load() < 1 {
		t.Fatalf("%d connections ever, %d open: the test does not test", server.ever.Load(), server.open.Load())
	}
	a.v.Close()
	ever, calm := server.ever.Load(), 0
	until(t, "the last connection to be closed", func() bool { // one that was dialled in vain may be accepted late
		if now := server.ever.Load(); now != ever || server.open.Load() > 0 {
			ever, calm = now, 0
		}
		calm++
		return calm > 20
	})
	a.v.Close()
	for _, token := range []string{known, fresh(iss), opaque(iss)} {
		a.want(token, unavailable)
	}
	if err := a.v.Ready(t.Context()); err == nil {
		t.Error("ready after Close")
	}
	if n := server.ever.Load() - ever; n > 0 {
		t.Errorf("%d connections after Close", n)
	}
}

// TestCloseDuringRequests: whatever a request waits for while the validator is
// closed, its answer is 200 or 503, and it does not wait much longer.
func TestCloseDuringRequests(t *testing.T) {
	for name, fault := range map[string]issuertest.Fault{"healthy": nil, "hanging": hang(), "dripping": issuertest.Drip(time.Millisecond), "slow": issuertest.Slow(5 * time.Millisecond)} {
		t.Run(name, func(t *testing.T) {
			iss, cold := issuertest.New(t), issuertest.New(t)
			keys := jwks.Config{MinFetchInterval: time.Millisecond, RefreshInterval: 5 * time.Millisecond}
			config := trusting(validator.Issuer{URL: iss.URL(), Keys: &keys, Introspection: asked(iss, introspection.Config{})})
			config.Issuers = append(config.Issuers, byKeys(cold, keys).Issuers...)
			a := listen(t, config)
			known := fresh(iss)
			a.become(known, ok, unavailable)
			iss.SetFault(issuertest.JWKS, fault)
			iss.SetFault(issuertest.Introspection, fault)
			cold.SetFault(issuertest.JWKS, fault)
			var answered atomic.Int64
			var closed atomic.Bool
			var clients sync.WaitGroup
			for _, next := range []func() string{
				func() string { return known },
				func() string { return fresh(iss) },
				func() string { return fresh(cold) },
				func() string { return opaque(iss) },
			} {
				for range 3 {
					clients.Go(func() {
						for last := false; !last; answered.Add(1) {
							last = closed.Load()
							if got := a.get(next()); got != ok && got != unavailable || last && got != unavailable {
								t.Errorf("answered %s (after Close: %v)", got, last)
							}
						}
					})
				}
			}
			until(t, "requests to be under way", func() bool { return answered.Load() > 20 && iss.Requests(issuertest.Introspection) > 0 })
			var closers sync.WaitGroup
			for range 2 {
				closers.Go(a.v.Close)
			}
			closers.Wait()
			closed.Store(true)
			clients.Wait()
		})
	}
}

// TestNothingStirsAfterClose: in a bubble, which fails if a goroutine is left,
// no timer asks the issuer for anything in the two days after Close.
func TestNothingStirsAfterClose(t *testing.T) {
	for _, state := range []string{"healthy", "down", "never used"} {
		t.Run(state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				config := byKeys(iss, jwks.Config{HTTPClient: iss.Client()})
				config.Issuers[0].Introspection = asked(iss, introspection.Config{HTTPClient: iss.Client(), RefreshAhead: 20 * time.Second})
				a := build(t, config)
				if state != "never used" {
					a.call(fresh(iss))
					a.call(opaque(iss))
				}
				if state == "down" {
					for _, endpoint := range []issuertest.Endpoint{issuertest.Discovery, issuertest.JWKS, issuertest.Introspection} {
						iss.SetFault(endpoint, issuertest.Down())
					}
					for range 10 {
						elapse(time.Minute)
						a.call(fresh(iss))
						a.call(opaque(iss))
					}
				}
				a.v.Close()
				before := iss.Requests(issuertest.Discovery) + iss.Requests(issuertest.JWKS) + iss.Requests(issuertest.Introspection)
				events := len(a.events.list())
				elapse(48 * time.Hour)
				if n := iss.Requests(issuertest.Discovery) + iss.Requests(issuertest.JWKS) + iss.Requests(issuertest.Introspection) - before; n > 0 {
					t.Errorf("%d requests after Close", n)
				}
				if n := len(a.events.list()) - events; n > 0 {
					t.Errorf("%d events after Close", n)
				}
			})
		})
	}
}
