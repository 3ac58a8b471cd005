package introspection_test

import (
	"errors"
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
	"github.com/m2mguard/m2mguard/observe"
)

const issuerURL = "https://id.example.com/realms/m2m"

// issuer is an authorization server in memory: metadata and an endpoint whose
// address may change.
type issuer struct {
	down        atomic.Bool
	path        atomic.Value // of the endpoint
	discoveries atomic.Int64
	asked       atomic.Int64
}

func (i *issuer) RoundTrip(req *http.Request) (*http.Response, error) {
	if i.down.Load() {
		if req.Method == http.MethodGet {
			i.discoveries.Add(1)
		}
		return nil, errDown
	}
	status, body := 404, "not found"
	switch {
	case req.URL.Path == "/realms/m2m/.well-known/openid-configuration":
		i.discoveries.Add(1)
		status, body = 200, fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":"https://id.example.com%s"}`, issuerURL, i.path.Load())
	case req.URL.Path == i.path.Load():
		i.asked.Add(1)
		status, body = 200, activeBody
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

func discovering(t *testing.T, i *issuer, change func(*introspection.Config)) *introspection.Client {
	t.Helper()
	i.path.Store("/introspect")
	return newClient(t, nil, func(cfg *introspection.Config) {
		cfg.Issuer, cfg.Endpoint = issuerURL, ""
		cfg.HTTPClient = &http.Client{Transport: i}
		if change != nil {
			change(cfg)
		}
	})
}

func TestDiscoveryAtFirstUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		c := discovering(t, i, nil)
		if i.discoveries.Load() != 0 {
			t.Fatal("New sent a request")
		}
		var asking sync.WaitGroup
		for n := range 50 {
			asking.Go(func() { expectQuietly(t, c, tokenNumber(n%10)) })
		}
		asking.Wait()
		if i.discoveries.Load() != 1 || i.asked.Load() != 10 {
			t.Errorf("%d discoveries and %d introspections, want 1 and 10", i.discoveries.Load(), i.asked.Load())
		}
	})
}

// The issuer is down when the API starts, and comes up later.
func TestDiscoveryRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		i := new(issuer)
		i.down.Store(true)
		c := discovering(t, i, func(cfg *introspection.Config) { cfg.Observer = observe.Observer{Event: seen.add} })
		for range 1000 {
			_, err := c.Introspect(t.Context(), "token")
			failure(t, err)
			elapse(10 * time.Millisecond)
		}
		if n := i.discoveries.Load(); n > 24 { // both paths, at most a dozen times
			t.Errorf("%d discovery requests in 10 s of outage, want few", n)
		}
		i.down.Store(false)
		elapse(5 * time.Second)
		expect(t, c, "token", "active")
		all := seen.all()
		first, last := all[0], all[len(all)-1]
		if first.Kind != observe.IntrospectionFailed || first.Issuer.Text != issuerURL || !strings.Contains(first.Err.Error(), "/.well-known/") {
			t.Errorf("first event is %+v, want the discovery's failure", first)
		}
		if last.Kind != observe.IntrospectionRecovered {
			t.Errorf("last event is %+v, want Recovered", last)
		}
	})
}

// A client that authenticates by its certificate asks where certificates are
// taken (RFC 8705 §5); any other asks where everybody does.
func TestDiscoveryForCertificates(t *testing.T) {
	const document = `{"issuer":"` + issuerURL + `","introspection_endpoint":"https://id.example.com/introspect",
		"mtls_endpoint_aliases":{"introspection_endpoint":"https://mtls.example.com/introspect"}}`
	for host, auth := range map[string]introspection.ClientAuth{
		"id.example.com":   introspection.ClientSecretPost("api", introspection.Secret(secretText)),
		"mtls.example.com": introspection.TLSClientAuth("api"),
	} {
		var asked string
		c := newClient(t, nil, func(cfg *introspection.Config) {
			cfg.Issuer, cfg.Endpoint, cfg.Auth = issuerURL, "", auth
			cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				body := document
				if r.Method == http.MethodPost {
					asked, body = r.URL.Host, activeBody
				}
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			})}
		})
		expect(t, c, "token", "active")
		if asked != host {
			t.Errorf("asked at %s, want %s", asked, host)
		}
	}
}

func TestDiscoverySaysWhy(t *testing.T) {
	c := newClient(t, nil, func(cfg *introspection.Config) {
		cfg.Issuer, cfg.Endpoint = issuerURL, ""
		cfg.HTTPClient = &http.Client{Transport: newUpstreamGet(`{"issuer":"https://id.example.com","introspection_endpoint":"https://id.example.com/i"}`)}
	})
	_, err := c.Introspect(t.Context(), "token")
	failure(t, err)
	for _, want := range []string{"openid-configuration", "oauth-authorization-server", `"https://id.example.com"`, issuerURL} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is %q, want %q in it", err, want)
		}
	}
}

func newUpstreamGet(body string) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodGet {
			return nil, errors.New("no endpoint here")
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	})
}

// The endpoint moves: when it fails for a control as well, it is discovered again.
func TestDiscoveryAgainAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		c := discovering(t, i, nil)
		expect(t, c, "token", "active")
		i.path.Store("/v2/introspect")
		expect(t, c, "new", "unavailable")
		synctest.Wait()
		expect(t, c, "another", "active")
		if i.discoveries.Load() != 2 {
			t.Errorf("%d discoveries, want 2", i.discoveries.Load())
		}
		expect(t, c, "token", "active") // asked again: the answer was the old endpoint's
		if i.asked.Load() != 3 {
			t.Errorf("%d introspections, want 3", i.asked.Load())
		}
	})
}

func TestConfiguredEndpointIsNeverDiscovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(down)
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.Issuer = issuerURL })
		for n := range 50 {
			expect(t, c, tokenNumber(n), "unavailable")
			elapse(time.Second)
		}
		if got := u.callsFor(""); got != 0 {
			t.Errorf("%d requests without a token", got)
		}
	})
}

func TestCloseDuringDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := roundTripper(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		c := newClient(t, nil, func(cfg *introspection.Config) {
			cfg.Issuer, cfg.Endpoint = issuerURL, ""
			cfg.HTTPClient = &http.Client{Transport: hang}
		})
		var asking sync.WaitGroup
		asking.Go(func() {
			_, err := c.Introspect(t.Context(), "token")
			failure(t, err)
		})
		synctest.Wait()
		start := time.Now()
		c.Close()
		asking.Wait()
		if time.Since(start) != 0 {
			t.Error("Close waited for the issuer")
		}
	})
}
