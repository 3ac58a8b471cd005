// Package fetch makes the HTTP requests of this module: bounded in time and
// size, and never redirected, because a request may carry a token and
// credentials, and because keys must come from where the operator said.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// ErrTooLarge is what errors.Is finds when a body was over the limit.
var ErrTooLarge = errors.New("the body is over the limit")

// ErrNotSent is what errors.Is finds when nothing of the request can have reached
// the server: no address, no connection, TLS refused, or the time was over before
// the request was written. What the request says cannot have caused it.
var ErrNotSent = errors.New("the request was not sent")

// Client sends one request at a time with a time-out and a body limit.
type Client struct {
	http     http.Client
	own      bool // the transport is ours, so Close may end its connections
	timeout  time.Duration
	maxBytes int64
}

// Failure is the error of Do: where there was no answer, and why.
type Failure struct {
	Where string // method and URL, without its query
	Err   error
}

// Error implements error.
func (f *Failure) Error() string { return f.Where + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Cause is an error of Do without where it was met, for a message that has said
// so already; other errors are returned as they are.
func Cause(err error) error {
	if f, ok := err.(*Failure); ok {
		return f.Err
	}
	return err
}

// Response is an answer whose body was read in full.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Kind says what the body calls itself, for an operator who is to see why it could not
// be read: its content type, and its encoding.
func (r Response) Kind() string {
	return "content type " + quote.Value(r.Header.Get("Content-Type")) + r.Encoding()
}

// Encoding says which content encoding is still on the body, as the rest of a
// sentence: what net/http has asked for it has also taken off. It shows names that are
// known, and no other that a server may have made of what it was sent.
func (r Response) Encoding() string {
	name := strings.ToLower(r.Header.Get("Content-Encoding"))
	switch name {
	case "", "identity":
		return ""
	case "br", "compress", "deflate", "gzip", "zstd":
		return ", content encoding " + quote.Value(name) + ", which was not asked for"
	}
	return ", a content encoding of another name than is known, which was not asked for"
}

// New wraps a copy of base that follows no redirects. A nil base means a
// transport of our own, which honours the proxy environment. timeout bounds the
// whole request, reading the body included; maxBytes bounds the body after
// decompression.
func New(base *http.Client, timeout time.Duration, maxBytes int64) *Client {
	c := &Client{timeout: timeout, maxBytes: min(maxBytes, math.MaxInt64-1)} // one more is read, to tell
	if base != nil {
		c.http = *base
	} else {
		c.own = true
		// A connection that died in silence would else be used until TCP gives up.
		health := max(timeout, time.Second)
		c.http.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
			ForceAttemptHTTP2:      true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: health, PingTimeout: health},
			TLSHandshakeTimeout:    timeout,
			MaxIdleConns:           16,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			OnProxyConnectResponse: connected,
		}
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Close ends the idle connections of a transport of our own. A caller's
// transport is left to the caller.
func (c *Client) Close() {
	if c.own {
		c.http.CloseIdleConnections()
	}
}

// Do sends req and reads the whole answer. Any status is an answer; an error
// means that there was none: no connection, a time-out, a body over the limit.
// The error, a *Failure, names the URL without its query and holds nothing of the
// request's headers or body, also where the other side sends them back. It is one line.
func (c *Client) Do(ctx context.Context, req *http.Request) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	where := req.Method + " " + bare(req.URL)
	var seen progress
	res, err := c.http.Do(req.WithContext(seen.trace(ctx)))
	if err != nil {
		// url.Error would print the URL with its query.
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		told := tellable(err)
		if seen.unsent(ctx, err) {
			told = notSent{told}
		}
		return Response{}, &Failure{where, told}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.maxBytes+1))
	if err != nil {
		return Response{}, &Failure{where, fmt.Errorf("status %d, but the body broke off: %w", res.StatusCode, tellable(err))}
	}
	if int64(len(body)) > c.maxBytes {
		return Response{}, &Failure{where, fmt.Errorf("status %d, but %w of %d bytes", res.StatusCode, ErrTooLarge, c.maxBytes)}
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// bare is u without query, fragment and user information.
func bare(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// CheckURL says what is wrong with raw as an address to send requests to: it
// must be absolute, without user information or fragment, and https, or http
// on a loopback host, or http anywhere if allowHTTP.
func CheckURL(raw string, allowHTTP bool) error {
	u, err := url.Parse(raw)
	switch {
	case strings.Contains(raw, "@") && (err != nil || u.Opaque != ""):
		return errors.New("the value is not a URL, and is not shown because it may hold a password")
	case err != nil:
		return fmt.Errorf("%s is not a URL", Shown(raw))
	case u.Host == "" || u.Opaque != "":
		return fmt.Errorf("%s is not an absolute URL such as %q", Shown(raw), "https://id.example.com")
	case u.User != nil:
		return fmt.Errorf("the URL for host %s holds user information; credentials have their own fields", quote.Value(u.Host))
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return fmt.Errorf("%s has a fragment", Shown(raw))
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("%s has scheme %s, wanted https", Shown(raw), quote.Value(u.Scheme))
	case allowHTTP || loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s is http, which is for loopback hosts alone: use https, or set DangerouslyAllowHTTP, whose comment says what is lost", Shown(raw))
}

// CheckDiscovered says what is wrong with an address that issuer's own
// metadata named: beyond CheckURL's rules, an https issuer may not send us to
// http, not even on loopback.
func CheckDiscovered(issuer, found string, allowHTTP bool) error {
	if err := CheckURL(found, allowHTTP); err != nil {
		return err
	}
	if isHTTPS(issuer) && !isHTTPS(found) && !allowHTTP {
		return fmt.Errorf("%s is http, but the issuer %s is https", Shown(found), Shown(issuer))
	}
	return nil
}

func isHTTPS(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https" // in lower case, whatever raw has
}

// WithoutQuery is an address up to its query.
func WithoutQuery(url string) string {
	before, _, _ := strings.Cut(url, "?")
	return before
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
