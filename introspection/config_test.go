package introspection_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

func TestNewReportsEveryFault(t *testing.T) {
	_, err := introspection.New(introspection.Config{
		Issuer:           "http://id.example.com",
		Endpoint:         "https://user:pw@id.example.com/introspect",
		RefreshAhead:     time.Minute,
		StaleIfError:     -1,
		CacheEntries:     1<<24 + 1,
		MaxConcurrent:    -1,
		RequestTimeout:   -1,
		MaxResponseBytes: -1,
	})
	if err == nil {
		t.Fatal("New accepted a Config full of faults")
	}
	for _, want := range []string{
		"Config.Issuer", "Config.Endpoint", "Config.Auth",
		"Config.RefreshAhead is 1m0s, wanted 0 or more and less than PositiveLifetime (30s)",
		"Config.StaleIfError", "Config.CacheEntries", "Config.MaxConcurrent", "Config.RequestTimeout", "Config.MaxResponseBytes",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "pw") {
		t.Errorf("the error holds the password of a URL:\n%v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	good := introspection.ClientSecretBasic("api", introspection.Secret(secretText))
	for _, test := range []struct {
		name string
		cfg  introspection.Config
		want string
	}{
		{"nobody to ask", introspection.Config{Auth: good}, "neither Endpoint nor Issuer"},
		{"an issuer with a query", introspection.Config{Issuer: "https://id.example.com/a?tenant=b", Auth: good}, "has a query"},
		{"no client id", introspection.Config{Endpoint: endpointURL, Auth: introspection.ClientSecretPost("", introspection.Secret("x"))}, "empty client id"},
		{"no secret", introspection.Config{Endpoint: endpointURL, Auth: introspection.ClientSecretBasic("api", nil)}, "nil SecretFunc"},
		{"an empty secret", introspection.Config{Endpoint: endpointURL, Auth: introspection.ClientSecretBasic("api", introspection.Secret(""))}, "Config.Auth has an empty secret"},
		{"an empty secret, posted", introspection.Config{Endpoint: endpointURL, Auth: introspection.ClientSecretPost("api", introspection.Secret(""))}, "Config.Auth has an empty secret"},
		{"a secret of a file", introspection.Config{Endpoint: endpointURL, Auth: introspection.ClientSecretPost("api", introspection.Secret("s3cret-s3cret\n"))}, "Config.Auth: the client secret holds a control character"},
		{"a client id of a file", introspection.Config{Endpoint: endpointURL, Auth: introspection.TLSClientAuth("api\n")}, `Config.Auth has the client id "api\n"`},
		{"plain http", introspection.Config{Endpoint: "http://id.example.com/introspect", Auth: good}, "loopback hosts alone"},
		{"refresh-ahead of what is never kept", introspection.Config{Endpoint: endpointURL, Auth: good, CacheEntries: -1, RefreshAhead: time.Second}, "nothing is kept"},
		{"stale of what is never kept", introspection.Config{Endpoint: endpointURL, Auth: good, PositiveLifetime: -1, StaleIfError: time.Second}, "no active answer is kept"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := introspection.New(test.cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error is %v, want one with %q", err, test.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v holds a secret", err)
			}
		})
	}
}

func TestNewAcceptsPlainHTTPByName(t *testing.T) {
	u := newUpstream(always(activeBody))
	c := newClient(t, u, func(cfg *introspection.Config) {
		cfg.Endpoint = "http://id.example.com/introspect"
		cfg.DangerouslyAllowHTTP = true
	})
	expect(t, c, "token", "active")
}

func TestDefaultLifetimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(token string) answer {
			return answer{body: `{"active":` + token + `}`}
		})
		c := newClient(t, u, nil)
		for token, lifetime := range map[string]time.Duration{"true": 30 * time.Second, "false": 10 * time.Second} {
			r, err := c.Introspect(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if got := time.Until(r.ValidUntil()); got != lifetime {
				t.Errorf("active %s lives %v, want %v", token, got, lifetime)
			}
		}
	})
}

func TestNoneKnobs(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*introspection.Config)
		body   string
		asked  int
	}{
		{"positive lifetime none", func(c *introspection.Config) { c.PositiveLifetime = -1 }, activeBody, 3},
		{"positive lifetime none keeps negatives", func(c *introspection.Config) { c.PositiveLifetime = -1 }, `{"active":false}`, 1},
		{"negative lifetime none", func(c *introspection.Config) { c.NegativeLifetime = -1 }, `{"active":false}`, 3},
		{"negative lifetime none keeps positives", func(c *introspection.Config) { c.NegativeLifetime = -1 }, activeBody, 1},
		{"cache entries none, active", func(c *introspection.Config) { c.CacheEntries = -1 }, activeBody, 3},
		{"cache entries none, inactive", func(c *introspection.Config) { c.CacheEntries = -1 }, `{"active":false}`, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := newUpstream(always(test.body))
			c := newClient(t, u, test.change)
			for range 3 {
				r, err := c.Introspect(t.Context(), "token")
				if err != nil {
					t.Fatal(err)
				}
				if kept := !r.ValidUntil().IsZero(); kept != (test.asked == 1) {
					t.Errorf("ValidUntil is %v, want it to say whether the result is kept", r.ValidUntil())
				}
			}
			if u.calls() != test.asked {
				t.Errorf("the endpoint was asked %d times, want %d", u.calls(), test.asked)
			}
		})
	}
}

func TestMaxPerSecond(t *testing.T) {
	for _, test := range []struct {
		name  string
		limit int
		least int
		most  int
	}{
		{"default", 0, 1000, 2000}, // a thousand, then 500 a second
		{"ten", 10, 25, 31},        // ten at once, then as many a second
		{"none", -1, 6000, 6000},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(always(`{"active":false}`))
				c := newClient(t, u, func(cfg *introspection.Config) {
					cfg.MaxPerSecond, cfg.MaxWait = test.limit, 1900*time.Millisecond
				})
				var flood sync.WaitGroup
				for i := range 6000 {
					flood.Go(func() { c.Introspect(t.Context(), tokenNumber(i)) })
				}
				flood.Wait()
				if n := u.calls(); n < test.least || n > test.most {
					t.Errorf("the endpoint was asked %d times within 1.9 s, want %d to %d", n, test.least, test.most)
				}
			})
		})
	}
}

func TestResponseLimit(t *testing.T) {
	pad := func(n int) string { return `{"active":true,"pad":"` + strings.Repeat("x", n-24) + `"}` }
	for _, test := range []struct {
		name  string
		limit int64
		size  int
		want  string
	}{
		{"default, at the limit", 0, 64 << 10, "active"},
		{"default, one over", 0, 64<<10 + 1, "unavailable"},
		{"own, at the limit", 100, 100, "active"},
		{"own, one over", 100, 101, "unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := newUpstream(always(pad(test.size)))
			c := newClient(t, u, func(cfg *introspection.Config) { cfg.MaxResponseBytes = test.limit })
			expect(t, c, "token", test.want)
		})
	}
}

func TestRequestTimeout(t *testing.T) {
	for _, test := range []struct{ limit, want time.Duration }{{0, 5 * time.Second}, {time.Second, time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			u := newUpstream(func(string) answer { return answer{after: time.Hour} })
			c := newClient(t, u, func(cfg *introspection.Config) { cfg.RequestTimeout = test.limit })
			start := time.Now()
			expect(t, c, "token", "unavailable")
			if got := time.Since(start); got != test.want {
				t.Errorf("the request took %v, want %v", got, test.want)
			}
		})
	}
}

func TestNewDoesNoIO(t *testing.T) {
	c, err := introspection.New(introspection.Config{
		Issuer: "https://id.example.com",
		Auth:   introspection.ClientSecretBasic("api", introspection.Secret(secretText)),
		HTTPClient: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			t.Error("New sent a request")
			return nil, errDown
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
