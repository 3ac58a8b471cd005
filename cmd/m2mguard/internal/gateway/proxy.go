package gateway

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Proxy is how one kind of proxy asks, and what of an answer it hands on.
type Proxy struct {
	name string
	// method and target are the fields that describe the original request; empty where
	// the request that asks has the original's own.
	method, target string
	// source is the field that names who called the proxy, as it writes it itself.
	source string
	// passes lists the statuses that reach the client; nil for all.
	passes []int
}

// Names of the fields that the snippets in docs/gateway.md have proxies write.
const (
	originalMethod = "X-Original-Method"
	originalTarget = "X-Original-Uri"
	statusField    = "X-Auth-Status" // what the answer would be, where the proxy hands on few statuses
)

// proxies are those that are known, by the name that a configuration gives them.
var proxies = map[string]*Proxy{
	// nginx answers 500 in the place of any other status than these.
	"nginx":   {name: "nginx", method: originalMethod, target: originalTarget, source: "X-Real-Ip", passes: []int{http.StatusUnauthorized, http.StatusForbidden}},
	"haproxy": {name: "haproxy", method: originalMethod, target: originalTarget, source: "X-Real-Ip"},
	"apache":  {name: "apache", method: originalMethod, target: originalTarget, source: "X-Real-Ip"},
	"traefik": {name: "traefik", method: "X-Forwarded-Method", target: "X-Forwarded-Uri", source: "X-Forwarded-For"},
	"caddy":   {name: "caddy", method: "X-Forwarded-Method", target: "X-Forwarded-Uri", source: "X-Forwarded-For"},
	"envoy":   {name: "envoy", source: "X-Forwarded-For"},
}

// Proxies lists the names of the proxies that are known.
func Proxies() []string {
	var names []string
	for name := range proxies {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// errUndescribed is a proxy that is not configured as docs/gateway.md has it.
var errUndescribed = errors.New("the proxy does not say what was asked for, or says it twice: configure it as docs/gateway.md has it, so that it sets the fields of method and target itself")

// original is the method and the target of the request that r asks about. prefix is what
// the proxy writes before the path where it sends the original's own.
func (p *Proxy) original(r *http.Request, prefix string) (method, target string, err error) {
	if p.target == "" {
		rest, found := strings.CutPrefix(r.RequestURI, prefix)
		if !found {
			return "", "", errUndescribed
		}
		return r.Method, rest, nil
	}
	methods, targets := r.Header[p.method], r.Header[p.target]
	if len(methods) != 1 || len(targets) != 1 || !isToken(methods[0]) {
		return "", "", errUndescribed
	}
	return methods[0], targets[0], nil
}

// isToken reports whether s can be a method (RFC 9110 §5.6.2).
func isToken(s string) bool {
	const letters = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return s != "" && len(s) <= maxMethod && strings.Trim(s, letters) == ""
}

// maxMethod is how long a method may be, in bytes.
const maxMethod = 32

// caller is who called the proxy: a key for fair waiting, and never for a decision. Of a
// list, the last is what the proxy has added itself.
func (p *Proxy) caller(r *http.Request) string {
	lines := r.Header[p.source]
	if len(lines) == 0 {
		return r.RemoteAddr
	}
	last := lines[len(lines)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// status is what the proxy is answered, for it to answer its client with what is wanted.
func (p *Proxy) status(wanted int) int {
	if p.passes == nil || slices.Contains(p.passes, wanted) {
		return wanted
	}
	return http.StatusForbidden
}
