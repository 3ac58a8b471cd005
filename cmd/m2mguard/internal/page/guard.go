package page

import (
	"net/http"
	"net/netip"
	"strings"
)

// guard is one check of a request, before anything else of it is looked at. The first
// that fails is answered with 403 and these words.
type guard struct {
	name string
	ok   func(h *handler, r *http.Request) bool
	why  string
}

// guards are the checks, in their order.
var guards = []guard{
	{"peer", fromLoopback, "this page answers this machine alone"},
	{"direct", direct, "this page answers no proxy: open the address that was printed"},
	{"host", named, "this page answers to its own name alone: open the address that was printed"},
	{"fetch site", fromHere, "this page answers no other site"},
	{"origin", ownOrigin, "this page takes a token from itself alone"},
}

// fromLoopback: the listener is on the loopback address. Should it ever not be, nothing
// is said to anybody else.
func fromLoopback(_ *handler, r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// direct reports whether no proxy shows: none that says so, none that asks for a whole
// URL, and none that speaks HTTP/1.0, as nginx does to what it forwards to unless told
// otherwise. No browser does.
func direct(_ *handler, r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) || !strings.HasPrefix(r.RequestURI, "/") {
		return false
	}
	for name := range r.Header {
		if forwarding(name) {
			return false
		}
	}
	return true
}

// forwarded are the fields that proxies, tunnels and content delivery networks add, and
// forwardedBy how others begin. Browsers send none of them.
var (
	forwarded = map[string]bool{
		"forwarded": true, "via": true, "max-forwards": true, "cdn-loop": true, "true-client-ip": true, "client-ip": true,
		"x-real-ip": true, "x-real-port": true, "x-client-ip": true, "x-cluster-client-ip": true, "x-proxyuser-ip": true, "x-remote-ip": true,
		"x-remote-addr": true, "x-scheme": true, "x-nginx-proxy": true, "x-varnish": true, "x-host": true, "x-rewrite-url": true, "x-request-id": true,
		"x-correlation-id": true, "traceparent": true, "x-cloud-trace-context": true, "client-cert": true, "x-arr-log-id": true, "x-arr-ssl": true,
		"surrogate-capability": true, "x-request-start": true, "x-replaced-path": true, "tracestate": true,
	}
	forwardedBy = []string{
		"x-forwarded", "x-original-", "x-envoy-", "x-amz", "x-azure-", "x-appengine-", "x-b3-", "x-ssl-", "x-client-cert", "x-goog-",
		"cf-", "fastly-", "fly-", "akamai-", "x-akamai-", "x-vercel-", "x-nf-", "ngrok-", "x-ngrok-", "tailscale-", "x-github-", "x-coder-", "proxy-", "x-proxy-",
	}
)

// forwarding reports whether a field is one of them, in any case, and with the
// underscores that some write for hyphens.
func forwarding(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if forwarded[name] || strings.Contains(name, "forwarded") || strings.Contains(name, "-via") {
		return true
	}
	for _, beginning := range forwardedBy {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}

// named: a site whose name was made to lead here (DNS rebinding) is sent with its own
// name, and a tunnel with its own name or port.
func named(h *handler, r *http.Request) bool { return r.Host == h.host }

// fromHere: a browser says where a request comes from (W3C Fetch Metadata). "none" is
// its user, who typed the address; another port of this machine is "same-site".
func fromHere(_ *handler, r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && (site != "none" || !reads(r)) {
			return false
		}
	}
	return true
}

// ownOrigin: a browser names the origin of each POST (RFC 6454 §7), so one without it is
// none of the page's.
func ownOrigin(h *handler, r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return reads(r)
	}
	return len(origins) == 1 && origins[0] == "http://"+h.host
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }
