package page_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/page"
	"github.com/m2mguard/m2mguard/validator"
)

const (
	host   = "127.0.0.1:49152"
	path   = "/KJ5R2XQ7N4WZP6TYV3MHDBLECA/"
	origin = "http://" + host
)

// explained counts calls, and accepts all.
type explained struct{ calls int }

func (e *explained) explain(context.Context, page.Form) (validator.Explanation, []page.Fault) {
	e.calls++
	return validator.Explanation{Accepted: true}, nil
}

// ask is a request as the page's own script sends it, or as a browser's user does.
func ask(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = host, "127.0.0.1:50000"
	r.Header.Set("Sec-Fetch-Site", "none")
	if method == http.MethodPost {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", origin)
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func answer(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestWhoIsAnswered changes one thing at a time about the two requests of the page. What
// is refused reaches no check of a token.
func TestWhoIsAnswered(t *testing.T) {
	field := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Del(name)
			r.Header[name] = append(r.Header[name], values...)
		}
	}
	for _, test := range []struct {
		name      string
		change    func(*http.Request)
		get, post int
	}{
		{"nothing", func(*http.Request) {}, 200, 200},
		{"the other loopback address", func(r *http.Request) { r.RemoteAddr = "[::1]:50000" }, 200, 200},
		{"loopback, written as IPv6", func(r *http.Request) { r.RemoteAddr = "[::ffff:127.0.0.2]:50000" }, 200, 200},
		{"a peer in the network", func(r *http.Request) { r.RemoteAddr = "192.0.2.7:50000" }, 403, 403},
		{"a peer beside it", func(r *http.Request) { r.RemoteAddr = "[fe80::1%eth0]:50000" }, 403, 403},
		{"a peer without an address", func(r *http.Request) { r.RemoteAddr = "@" }, 403, 403},

		{"rebinding: a name that leads here", func(r *http.Request) { r.Host = "rebinding.example:49152" }, 403, 403},
		{"rebinding, with its own origin", func(r *http.Request) {
			r.Host = "rebinding.example:49152"
			r.Header.Set("Origin", "http://rebinding.example:49152")
		}, 403, 403},
		{"localhost", func(r *http.Request) { r.Host = "localhost:49152" }, 403, 403},
		{"a name below localhost", func(r *http.Request) { r.Host = "x.localhost:49152" }, 403, 403},
		{"another loopback address", func(r *http.Request) { r.Host = "127.0.0.2:49152" }, 403, 403},
		{"the address as another number", func(r *http.Request) { r.Host = "0x7f.1:49152" }, 403, 403},
		{"no port", func(r *http.Request) { r.Host = "127.0.0.1" }, 403, 403},
		{"another port", func(r *http.Request) { r.Host = "127.0.0.1:8080" }, 403, 403},
		{"more behind the port", func(r *http.Request) { r.Host = host + "0" }, 403, 403},
		{"a name that ends like it", func(r *http.Request) { r.Host = "x." + host }, 403, 403},
		{"no host", func(r *http.Request) { r.Host = "" }, 403, 403},

		{"cross-site", field("Sec-Fetch-Site", "cross-site"), 403, 403},
		{"another port of this machine", field("Sec-Fetch-Site", "same-site"), 403, 403},
		{"same origin", field("Sec-Fetch-Site", "same-origin"), 200, 200},
		{"typed by the user", field("Sec-Fetch-Site", "none"), 200, 403},
		{"a browser that does not say", field("Sec-Fetch-Site"), 200, 200},
		{"an empty site", field("Sec-Fetch-Site", ""), 403, 403},
		{"two sites", field("Sec-Fetch-Site", "same-origin", "cross-site"), 403, 403},
		{"another origin", field("Origin", "https://evil.example"), 403, 403},
		{"an origin that is hidden", field("Origin", "null"), 403, 403},
		{"the origin with https", field("Origin", "https://"+host), 403, 403},
		{"the origin's other port", field("Origin", "http://127.0.0.1:8080"), 403, 403},
		{"the origin, and more", field("Origin", origin+".evil.example"), 403, 403},
		{"two origins", field("Origin", origin, "https://evil.example"), 403, 403},
		{"no origin", field("Origin"), 200, 403},
		{"an empty origin", field("Origin", ""), 403, 403},

		{"HTTP/1.0", func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0 }, 403, 403},
		{"a whole URL, as a proxy gets it", func(r *http.Request) { r.RequestURI = origin + r.RequestURI }, 403, 403},
		{"a proxy's Forwarded", field("Forwarded", "for=192.0.2.7"), 403, 403},
		{"an empty one", field("X-Forwarded-For", ""), 403, 403},
		{"with underscores", field("X_forwarded_for", "192.0.2.7"), 403, 403},
		{"in odd letters", field("x-FORWARDED-host", "evil.example"), 403, 403},

		{"another path", func(r *http.Request) { r.URL.Path = "/AAAAAAAAAAAAAAAAAAAAAAAAAA/explain" }, 404, 404},
		{"a longer path", func(r *http.Request) { r.URL.Path += "/more" }, 404, 404},
		{"a path that is escaped", func(r *http.Request) { r.URL.RawPath = "/%4B" + r.URL.Path[2:] }, 404, 404},
		{"a token in the URL", func(r *http.Request) { r.URL.RawQuery = "token=x" }, 404, 404},
		{"PUT", func(r *http.Request) {
			r.Method = http.MethodPut
			r.Header.Set("Origin", origin)
			field("Sec-Fetch-Site")(r)
		}, 405, 405},
		{"a question before a POST", func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Access-Control-Request-Method", "POST")
		}, 403, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e explained
			h := page.Handler(page.Config{Explain: e.explain, Timeout: time.Minute}, host, path)
			get, post := ask("GET", path, ""), ask("POST", path+"explain", `{"token":"x","scheme":"Bearer"}`)
			test.change(get)
			test.change(post)
			for r, want := range map[*http.Request]int{get: test.get, post: test.post} {
				w := answer(h, r)
				if w.Code != want {
					t.Errorf("%s: %d, wanted %d: %s", r.Method, w.Code, want, w.Body)
				}
				if body := w.Body.String(); w.Code != 200 && (strings.Contains(body, path[1:20]) || strings.Count(body, "\n") != 1) {
					t.Errorf("%s: a refusal tells %q", r.Method, body)
				}
				if cors := w.Header().Get("Access-Control-Allow-Origin"); cors != "" {
					t.Errorf("%s: others may read it: %s", r.Method, cors)
				}
			}
			if want := map[bool]int{true: 1}[test.post == 200]; e.calls != want {
				t.Errorf("%d tokens were looked at, wanted %d", e.calls, want)
			}
		})
	}
}

// TestNoProxy has each field refused that something on the way adds, and none that a
// browser sends.
func TestNoProxy(t *testing.T) {
	h := page.Handler(page.Config{}, host, path)
	for _, name := range []string{
		"Forwarded", "Via", "X-Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server",
		"X-Forwarded-Client-Cert", "X-Forwarded-Access-Token", "X-Forwarded-By", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Forwarded-For", "X-Original-Url",
		"X-Original-Host", "X-Rewrite-Url", "True-Client-Ip", "Client-Ip", "Max-Forwards", "Cdn-Loop", "Cf-Connecting-Ip", "Cf-Ray", "Cf-Ipcountry", "Cf-Visitor",
		"Fastly-Client-Ip", "Fly-Client-Ip", "Akamai-Origin-Hop", "X-Akamai-Config-Log-Detail", "X-Amzn-Trace-Id", "X-Amz-Cf-Id", "X-Azure-Clientip", "X-Azure-Ref",
		"X-Appengine-User-Ip", "X-Cloud-Trace-Context", "X-Goog-Iap-Jwt-Assertion", "X-Envoy-External-Address", "X-Envoy-Original-Path", "X-Request-Id", "X-B3-Traceid", "Traceparent",
		"X-Vercel-Id", "X-Nf-Client-Connection-Ip", "Ngrok-Auth-User-Email", "Tailscale-User-Login", "X-Varnish", "X-Nginx-Proxy", "X-Scheme", "X-Ssl-Client-Cert", "X-Client-Cert",
		"Client-Cert", "X-Proxyuser-Ip", "Proxy-Connection", "Proxy-Authorization", "X-Arr-Log-Id",
		"X-Http-Forwarded-For", "X-Httpd-Forwarded", "X_Forwarded_For", "X-Bluecoat-Via", "Surrogate-Capability", "X-Request-Start", "X-Replaced-Path", "Tracestate",
	} {
		r := ask("GET", path, "")
		r.Header.Set(name, "x")
		if w := answer(h, r); w.Code != 403 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Connection", "Cookie", "Dnt", "Pragma", "Priority", "Referer", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile",
		"Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Gpc", "Sec-Purpose", "Te", "Upgrade-Insecure-Requests", "User-Agent", "If-None-Match",
	} {
		r := ask("GET", path, "")
		r.Header.Set(name, "x")
		if w := answer(h, r); w.Code != 200 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// TestEveryAnswerIsSealed: also those that refuse.
func TestEveryAnswerIsSealed(t *testing.T) {
	var e explained
	h := page.Handler(page.Config{Explain: e.explain, Timeout: time.Minute}, host, path)
	foreign := ask("POST", path+"explain", "{}")
	foreign.Header.Set("Origin", "https://evil.example")
	for _, r := range []*http.Request{ask("GET", path, ""), ask("POST", path+"explain", `{"token":"x"}`), ask("POST", path+"explain", "?"), ask("GET", "/", ""), foreign} {
		header := answer(h, r).Result().Header
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s %s: %s: %q, wanted %q", r.Method, r.URL, name, got, want)
			}
		}
		directives := make(map[string]string)
		for directive := range strings.SplitSeq(header.Get("Content-Security-Policy"), ";") {
			name, sources, _ := strings.Cut(strings.TrimSpace(directive), " ")
			directives[name] = sources
		}
		for name, want := range map[string]string{
			"default-src": "'none'", "connect-src": "'self'", "form-action": "'none'", "frame-ancestors": "'none'", "base-uri": "'none'",
			"require-trusted-types-for": "'script'", "trusted-types": "'none'",
		} {
			if directives[name] != want {
				t.Errorf("%s %s: %s %q, wanted %q", r.Method, r.URL, name, directives[name], want)
			}
		}
		for _, name := range []string{"script-src", "style-src"} {
			if got := directives[name]; !strings.HasPrefix(got, "'sha256-") || strings.Contains(got, " ") {
				t.Errorf("%s %s: %s %q, wanted one hash", r.Method, r.URL, name, got)
			}
		}
		if len(directives) != 9 {
			t.Errorf("%s %s: %d directives, wanted 9", r.Method, r.URL, len(directives))
		}
		if header.Get("Set-Cookie") != "" {
			t.Errorf("%s %s: a cookie", r.Method, r.URL)
		}
	}
}

// TestForms are bodies that are not what the page sends. No answer holds what was sent.
func TestForms(t *testing.T) {
	const secret = "eyJhbGciOiJSUzI1NiJ9"
	for name, test := range map[string]struct {
		body, kind string
		want       int
	}{
		"good":                    {`{"token":"` + secret + `","offline":true}`, "application/json", 200},
		"with a charset":          {`{"token":"` + secret + `"}`, "application/json; charset=utf-8", 200},
		"as a form":               {"token=" + secret, "application/x-www-form-urlencoded", 415},
		"as text of another site": {`{"token":"` + secret + `"}`, "text/plain", 415},
		"without a type":          {`{"token":"` + secret + `"}`, "", 415},
		"a type of no kind":       {`{"token":"` + secret + `"}`, ";", 415},
		"an unknown field":        {`{"` + secret + `":"x"}`, "application/json", 400},
		"another kind":            {`{"token":["` + secret + `"]}`, "application/json", 400},
		"two of them":             {`{"token":"` + secret + `"}{}`, "application/json", 400},
		"a bracket behind it":     {`{"token":"` + secret + `"}]`, "application/json", 400},
		"half":                    {`{"token":"` + secret, "application/json", 400},
		"nothing":                 {"", "application/json", 400},
		"as long as may be":       {`{"token":"` + strings.Repeat("x", page.MaxBody-len(`{"token":""}`)) + `"}`, "application/json", 200},
		"too long":                {`{"token":"` + strings.Repeat("x", page.MaxBody) + `"}`, "application/json", 413},
	} {
		t.Run(name, func(t *testing.T) {
			var e explained
			r := ask("POST", path+"explain", test.body)
			r.Header.Set("Content-Type", test.kind)
			w := answer(page.Handler(page.Config{Explain: e.explain, Timeout: time.Minute}, host, path), r)
			if w.Code != test.want || (e.calls == 1) != (test.want == 200) {
				t.Errorf("%d after %d calls, wanted %d: %s", w.Code, e.calls, test.want, w.Body)
			}
			if text, _ := io.ReadAll(w.Body); strings.Contains(string(text), secret) {
				t.Errorf("the answer holds what was sent: %s", text)
			}
		})
	}
}
