package httpauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/validator"
)

// publicURLs are what this API is called by, as its configuration says, and never as a
// request does.
type publicURLs struct {
	bases    []base
	prefix   string // what a proxy cuts off; begins with a slash, or is empty
	resource string // the path of the resource that the metadata is of, prefix and all
}

// base is one of them.
type base struct {
	text string // without a slash at its end
	host string // as a Host field may name it, in small letters and without a default port
}

// newPublicURLs reads Config.PublicURL, PublicPathPrefix and Metadata.Path. It panics
// where New does.
func newPublicURLs(urls []string, prefix, resource string) publicURLs {
	fault := func(format string, args ...any) {
		panic("httpauth: New: Config." + fmt.Sprintf(format, args...))
	}
	p := publicURLs{prefix: strings.TrimSuffix(prefix, "/")}
	p.resource = p.prefix + strings.TrimSuffix(resource, "/")
	for _, path := range []struct{ field, value string }{{"PublicPathPrefix", prefix}, {"Metadata.Path", resource}} {
		plain := strings.TrimSuffix(path.value, "/")
		if plain != "" && (plain[0] != '/' || strings.Trim(plain, pathLetters) != "" || strings.Contains(plain, "//") || hasDots(plain)) {
			fault("%s is %q, wanted a path such as /orders", path.field, path.value)
		}
		if plain != "" && len(urls) == 0 {
			fault("%s is set without PublicURL", path.field)
		}
	}
	for _, text := range urls {
		u, err := url.Parse(text)
		switch {
		case err != nil || !isHost(u) || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "?#\"\\ "):
			fault("PublicURL is %s, wanted scheme and host, such as https://api.example.com, and neither user nor query", fetch.Shown(text))
		case strings.TrimSuffix(u.Path, "/") != "":
			fault("PublicURL is %s, wanted scheme and host alone: paths come from the request, and what a proxy cuts off is PublicPathPrefix", fetch.Shown(text))
		case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
			fault("PublicURL is %s, wanted https; http is for loopback hosts", fetch.Shown(text))
		}
		b := base{strings.TrimSuffix(text, "/"), plainHost(u.Host, u.Scheme)}
		for _, other := range p.bases {
			if other.host == b.host {
				fault("PublicURL holds %q and %q, which a request's Host cannot tell apart", other.text, b.text)
			}
		}
		p.bases = append(p.bases, b)
	}
	return p
}

// Letters of a name in DNS, and of a path that routers take as it is.
const (
	hostLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	pathLetters = hostLetters + "~!$&'()+,;=:@/"
)

// isHost reports whether u has a name or an address, and a port that is none or one.
func isHost(u *url.URL) bool {
	name, port := u.Hostname(), u.Port()
	_, err := netip.ParseAddr(name)
	number, bad := strconv.ParseUint(cmp.Or(port, "1"), 10, 16)
	return name != "" && (err == nil || strings.Trim(name, hostLetters) == "") &&
		!strings.HasSuffix(u.Host, ":") && bad == nil && number > 0 && (port == "" || port[0] != '0')
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && address.IsLoopback()
}

// plainHost is a host in one spelling, to choose by.
func plainHost(host, scheme string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

// choose returns the base that a request was sent to: the only one, or the one with the
// host that its Host names, which is a client's word and chooses among these alone.
func (p *publicURLs) choose(host string) *base {
	if len(p.bases) == 1 {
		return &p.bases[0]
	}
	for n := range p.bases {
		scheme, _, _ := strings.Cut(p.bases[n].text, ":")
		if plainHost(host, scheme) == p.bases[n].host {
			return &p.bases[n]
		}
	}
	return nil
}

// list is all bases, for words.
func (p *publicURLs) list() string {
	var all []string
	for _, b := range p.bases {
		all = append(all, b.text)
	}
	return strings.Join(all, ", ")
}

// longestHost is how much of a Host is told.
const longestHost = 255

// of is r's own URL as its client wrote it: a base, what a proxy cut off, and the path
// of the request line, escaped as it was sent, whatever a router made of it since.
func (p *publicURLs) of(r *http.Request) (string, *validator.Error) {
	path, ok := pathOf(r)
	return p.at(r.Host, path, ok)
}

// at is the URL of a path at the base that host chooses, if the path is ok.
func (p *publicURLs) at(host, path string, ok bool) (string, *validator.Error) {
	b := p.choose(host)
	if b == nil {
		return "", errHost.Because(fmt.Errorf("the Host %s is that of no Config.PublicURL (%s): a proxy may rewrite it", host[:min(len(host), longestHost)], p.list()))
	}
	if !ok {
		return "", errTarget
	}
	return b.text + p.prefix + path, nil
}

// pathOf is the path of the request line (RFC 9112 §3.2), if it can be read in one way:
// as a proof's URL is compared, and as net/http and routers take it. An authority in it
// is the client's word. A request that did not come through a server has none.
func pathOf(r *http.Request) (string, bool) {
	target := cmp.Or(r.RequestURI, r.URL.EscapedPath())
	if r.Method == http.MethodConnect || target == "" || target == "*" {
		return "", false
	}
	if target[0] != '/' { // net/http takes "http:/path" for a path, and "a://b" in a query is none
		scheme, rest, absolute := strings.Cut(target, "://")
		if !absolute || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return "", false
		}
		start := strings.IndexAny(rest, "/?")
		if start < 0 || rest[start] == '?' {
			rest, start = "/", 0
		}
		target = rest[start:]
	}
	path, _, _ := strings.Cut(target, "?")
	return path, oneReading(path)
}

// oneReading reports whether a path is the same to a proof, to its client and to a
// router. Of a fragment no server should hear, but net/http keeps it in the path.
func oneReading(path string) bool { return strings.IndexByte(path, '#') < 0 && !hasDots(path) }

// hasDots reports whether a path has a segment of dots, in any spelling (RFC 3986
// §5.2.4): clients take them out, proofs are compared without them, and routers keep
// them.
func hasDots(path string) bool {
	const longest = len("%2e%2e")
	for segment := range strings.SplitSeq(path, "/") {
		if len(segment) == 0 || len(segment) > longest {
			continue
		}
		if plain := strings.ReplaceAll(strings.ToLower(segment), "%2e", "."); plain == "." || plain == ".." {
			return true
		}
	}
	return false
}

var (
	errHost   = validator.NewError(validator.CheckHost)
	errTarget = errRequest.Because(errors.New("a proof of possession is for one URL, and this request's target cannot be read as one: it is *, or holds a fragment, a segment of dots or a scheme without //, or the method is CONNECT"))
)
