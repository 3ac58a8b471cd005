//go:build interop

package proxies_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// identityFields are all that the gate may write, as docs/gateway.md lists them.
var identityFields = []string{"X-Auth-Identity", "X-Auth-Client", "X-Auth-Subject", "X-Auth-Issuer", "X-Auth-Scopes", "X-Auth-Roles", "X-Auth-Tenant"}

// onward passes a request on as it was sent, with these fields set or, where empty, left
// out.
func onward(w http.ResponseWriter, r *http.Request, api string, fields http.Header) {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL = &url.URL{Scheme: "http", Host: api, Opaque: r.RequestURI}
			if strings.HasPrefix(r.RequestURI, "//") {
				p.Out.URL.Opaque = "//" + api + r.RequestURI
			}
			for name, values := range fields {
				p.Out.Header.Del(name)
				if values[0] != "" {
					p.Out.Header[name] = values
				}
			}
		},
	}
	proxy.ServeHTTP(w, r)
}

// copyAnswer hands an answer on to the client, or these fields of it.
func copyAnswer(w http.ResponseWriter, answer *http.Response, only []string) {
	for name, values := range answer.Header {
		if only == nil || slices.Contains(only, textproto.CanonicalMIMEHeaderKey(name)) {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body) // the client may have gone
}

// metadata is the path that both lead past the gate, by a route of its own.
const metadata = "/.well-known/oauth-protected-resource"

// traefik does what Traefik 3 does by the page's two routers, and by forwardAuth with
// trustForwardHeader off, behind the headers middleware of the page: a GET with the original's fields and its own
// X-Forwarded ones; an answer that is not 2xx goes to the client whole, and of a 2xx each of
// authResponseHeaders replaces the request's.
func traefik(api, gate, admin string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == metadata {
			onward(w, r, admin, nil)
			return
		}
		for _, name := range append([]string{"Connection", "Upgrade"}, identityFields...) { // customRequestHeaders with nothing
			r.Header.Del(name)
		}
		question, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+gate+"/auth", nil)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		question.Header = r.Header.Clone()
		for _, name := range []string{"Connection", "Keep-Alive", "Te", "Trailers", "Transfer-Encoding", "Upgrade", "Content-Length", "Proxy-Authorization"} {
			question.Header.Del(name)
		}
		for name := range question.Header { // since 3.6.14 in any spelling
			if strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "x-forwarded-") {
				delete(question.Header, name)
			}
		}
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		for name, value := range map[string]string{"Method": r.Method, "Proto": "http", "Host": r.Host, "Uri": r.RequestURI, "For": host} {
			question.Header.Set("X-Forwarded-"+name, value)
		}
		answer, err := http.DefaultTransport.RoundTrip(question)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer answer.Body.Close()
		if answer.StatusCode < 200 || answer.StatusCode >= 300 {
			copyAnswer(w, answer, nil)
			return
		}
		fields := make(http.Header)
		for _, name := range identityFields {
			fields[name] = []string{answer.Header.Get(name)}
		}
		onward(w, r, api, fields)
	})
}

// envoy does what Envoy does by ext_authz over HTTP: the original's method and path behind
// path_prefix, with allowed_headers, two of a name joined; of a 200 the fields of
// allowed_upstream_headers overwrite the request's, empty ones too, and of another answer
// status, body and allowed_client_headers reach the client.
func envoy(api, gate, admin string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, _, _ := strings.Cut(r.RequestURI, "?"); path == metadata {
			onward(w, r, admin, nil)
			return
		}
		for name := range r.Header { // the filter before, see the page
			plain := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
			if strings.HasPrefix(plain, "x-auth-") || strings.Contains(plain, "-method") || plain == "x-original-url" || plain == "x-rewrite-url" || plain == "upgrade" || plain == "connection" {
				delete(r.Header, name)
			}
		}
		question := (&http.Request{Method: r.Method, URL: &url.URL{Scheme: "http", Host: gate, Opaque: "/auth" + r.RequestURI}, Host: r.Host, Header: http.Header{}}).WithContext(r.Context())
		for _, name := range []string{"Authorization", "Dpop"} {
			if values := r.Header[name]; len(values) > 0 {
				question.Header.Set(name, strings.Join(values, ","))
			}
		}
		answer, err := http.DefaultTransport.RoundTrip(question)
		if err != nil {
			w.WriteHeader(http.StatusForbidden) // failure_mode_allow is off
			return
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			copyAnswer(w, answer, []string{"Www-Authenticate", "Dpop-Nonce", "Retry-After", "Cache-Control"})
			return
		}
		fields := make(http.Header)
		for name, values := range answer.Header {
			if strings.HasPrefix(name, "X-Auth-") {
				fields[name] = values
			}
		}
		onward(w, r, api, fields)
	})
}
