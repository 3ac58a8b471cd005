package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestWhoAsks: the proxy alone, by its address, a secret, or both, and with one word on
// the request.
func TestWhoAsks(t *testing.T) {
	const one, two = "the first secret that a proxy shows", "and the second one of them"
	iss := issuertest.New(t)
	for name, tc := range map[string]struct {
		from    []netip.Prefix
		secrets []string
		unix    bool
		change  func(*http.Request)
		status  int
	}{
		"from there":                     {from: loopback, status: 200},
		"from elsewhere":                 {from: loopback, change: func(r *http.Request) { r.RemoteAddr = "198.51.100.7:4711" }, status: 403},
		"from elsewhere, it says":        {from: loopback, change: func(r *http.Request) { r.RemoteAddr = "198.51.100.7:1"; r.Header.Set("X-Forwarded-For", "192.0.2.1") }, status: 403},
		"mapped into IPv6":               {from: loopback, change: func(r *http.Request) { r.RemoteAddr = "[::ffff:192.0.2.1]:4711" }, status: 200},
		"no address":                     {from: loopback, change: func(r *http.Request) { r.RemoteAddr = "@" }, status: 403},
		"a socket":                       {unix: true, change: func(r *http.Request) { r.RemoteAddr = "@" }, status: 200},
		"a secret":                       {secrets: []string{one, two}, change: func(r *http.Request) { r.Header.Set("X-Auth-Secret", two) }, status: 200},
		"no secret":                      {secrets: []string{one, two}, status: 403},
		"another secret":                 {secrets: []string{one}, change: func(r *http.Request) { r.Header.Set("X-Auth-Secret", two) }, status: 403},
		"two secrets":                    {secrets: []string{one}, change: func(r *http.Request) { r.Header["X-Auth-Secret"] = []string{one, one} }, status: 403},
		"a secret, from elsewhere":       {from: loopback, secrets: []string{one}, change: func(r *http.Request) { r.RemoteAddr = "198.51.100.7:1"; r.Header.Set("X-Auth-Secret", one) }, status: 403},
		"no secret over a socket":        {unix: true, secrets: []string{one}, status: 403},
		"two targets":                    {from: loopback, change: func(r *http.Request) { r.Header.Add("X-Original-URI", "/health") }, status: 403},
		"two methods":                    {from: loopback, change: func(r *http.Request) { r.Header.Add("X-Original-Method", "GET") }, status: 403},
		"no target":                      {from: loopback, change: func(r *http.Request) { r.Header.Del("X-Original-Uri") }, status: 403},
		"no method":                      {from: loopback, change: func(r *http.Request) { r.Header.Del("X-Original-Method") }, status: 403},
		"an empty method":                {from: loopback, change: func(r *http.Request) { r.Header.Set("X-Original-Method", "") }, status: 403},
		"two methods in one":             {from: loopback, change: func(r *http.Request) { r.Header.Set("X-Original-Method", "GET, POST") }, status: 403},
		"another proxy's fields as well": {from: loopback, change: func(r *http.Request) { r.Header.Set("X-Forwarded-Uri", "/admin") }, status: 200},
	} {
		c := config(t, iss)
		c.From, c.Secrets, c.Unix = tc.from, tc.secrets, tc.unix
		c.HTTP.ClientCertificate = func(r *http.Request) ([]byte, error) {
			if len(r.Header["X-Auth-Secret"]) > 0 {
				t.Errorf("%s: the secret goes further", name)
			}
			return nil, nil
		}
		r := asks("GET", "/orders", http.Header{"Authorization": {"Bearer " + iss.Token(issuertest.Claims{Scope: "orders:read"})}})
		if tc.change != nil {
			tc.change(r)
		}
		if w := answer(newGateway(t, c), r); w.Code != tc.status {
			t.Errorf("%s: %d %s, wanted %d", name, w.Code, w.Body, tc.status)
		}
	}
}

// TestProxies: each by the fields that it writes, and none by another's.
func TestProxies(t *testing.T) {
	iss := issuertest.New(t)
	original := http.Header{"X-Original-Method": {"GET"}, "X-Original-Uri": {"/health"}}
	forwarded := http.Header{"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/health"}}
	for proxy, fields := range map[string]http.Header{"nginx": original, "haproxy": original, "apache": original, "traefik": forwarded, "caddy": forwarded} {
		c := config(t, iss)
		c.Proxy = proxy
		g := newGateway(t, c)
		for _, header := range []http.Header{original, forwarded} {
			r := httptest.NewRequest("GET", "/auth", nil)
			r.Header = header.Clone()
			want := 403
			if header["X-Forwarded-Uri"] != nil == (fields["X-Forwarded-Uri"] != nil) {
				want = 200
			}
			if w := answer(g, r); w.Code != want {
				t.Errorf("%s, %v: %d, wanted %d", proxy, header, w.Code, want)
			}
		}
	}
	c := config(t, iss)
	c.Proxy, c.Prefix = "envoy", "/auth"
	g := newGateway(t, c)
	for target, want := range map[string]int{"/auth/health": 200, "/health": 403, "/auth/admin": 401, "/auth": 400, "/authhealth": 400, "/auth//health": 400} {
		if w := answer(g, httptest.NewRequest("GET", target, nil)); w.Code != want {
			t.Errorf("envoy, %s: %d, wanted %d", target, w.Code, want)
		}
	}
	if w := answer(g, httptest.NewRequest("POST", "/auth/health", nil)); w.Code != 401 {
		t.Errorf("envoy, POST: %d", w.Code)
	}
}

// TestFewStatuses: nginx hands on two, so the others come as 403 and say what they are.
func TestFewStatuses(t *testing.T) {
	iss := issuertest.New(t)
	c := config(t, iss)
	c.Proxy = "nginx"
	g := newGateway(t, c)
	good := "Bearer " + iss.Token(issuertest.Claims{Scope: "orders:read"})
	for name, tc := range map[string]struct {
		target        string
		authorization []string
		status        int
		meant         string
	}{
		"good":         {"/orders", []string{good}, 200, ""},
		"no token":     {"/orders", nil, 401, "401"},
		"no scope":     {"/files/a", []string{good}, 403, "403"},
		"malformed":    {"/orders", []string{good, good}, 403, "400"},
		"two readings": {"/orders//a", []string{good}, 403, "400"},
	} {
		w := answer(g, asks("GET", tc.target, http.Header{"Authorization": tc.authorization}))
		if w.Code != tc.status || w.Header().Get("X-Auth-Status") != tc.meant || len(w.Header()["Www-Authenticate"]) > 1 {
			t.Errorf("%s: %d %v, wanted %d, meaning %q", name, w.Code, w.Header(), tc.status, tc.meant)
		}
	}
	iss.SetFault(issuertest.JWKS, issuertest.Down())
	iss.SetFault(issuertest.Discovery, issuertest.Down())
	c = config(t, iss)
	c.Proxy = "nginx"
	w := answer(newGateway(t, c), asks("GET", "/orders", http.Header{"Authorization": {good}}))
	if w.Code != 403 || w.Header().Get("X-Auth-Status") != "503" || w.Header().Get("Retry-After") == "" {
		t.Errorf("down: %d %v", w.Code, w.Header())
	}
}
