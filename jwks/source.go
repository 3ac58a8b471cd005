package jwks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/metadata"
	"github.com/m2mguard/m2mguard/observe"
)

// rediscoverAfter is the age at which the issuer's metadata is read again.
const rediscoverAfter = 24 * time.Hour

// source is where key sets come from. Only the one fetch under way uses it, so it
// needs no lock of its own.
type source interface {
	// fetch returns the key set, or last itself where that has not changed. The
	// error names the place and what was wrong there.
	fetch(ctx context.Context, last *snapshot) (fetched, error)
	// close lets go of what it holds, once no fetch is under way.
	close()
}

// newSource is the one that c names; nil for a fixed set.
func newSource(c Config) source {
	switch {
	case c.Set != nil:
		return nil
	case c.File != "":
		return newFile(c)
	case c.Fetch != nil:
		return newFunction(c)
	}
	return newRemote(c)
}

// remote fetches from the issuer, or from a URL.
type remote struct {
	client    *fetch.Client
	issuer    string
	allowHTTP bool
	wanted    wanted
	observer  observe.Observer

	discovers bool
	url       string    // of the key set, empty before discovery
	readAt    time.Time // when the metadata was last read
	failed    bool      // the last fetch failed, so its address is in doubt
	tag       entityTag
}

// entityTag is an ETag, and the only URL to which it means something.
type entityTag struct{ url, value string }

// fetched is what one fetch brought.
type fetched struct {
	address         string // without its query; a file's as a URL
	set             *snapshot
	unmodified      bool
	hasCacheControl bool
	maxAge          time.Duration // negative: none was named
	discovery       error         // the metadata could not be read again
}

var _ source = (*remote)(nil)

func newRemote(c Config) *remote {
	return &remote{
		client:    fetch.New(c.HTTPClient, c.RequestTimeout, c.MaxResponseBytes),
		issuer:    c.Issuer,
		allowHTTP: c.DangerouslyAllowHTTP,
		wanted:    c.wanted(),
		observer:  c.Observer,
		discovers: c.URL == "",
		url:       c.URL,
	}
}

func (s *remote) close() { s.client.Close() }

// fetch returns last where the issuer says that it has not changed.
func (s *remote) fetch(ctx context.Context, last *snapshot) (got fetched, err error) {
	defer func() { s.failed = err != nil }()
	if s.discovers && (s.url == "" || s.failed || time.Since(s.readAt) >= rediscoverAfter) {
		found, err := s.discover(ctx)
		switch {
		case err == nil:
			s.url, s.readAt = found, time.Now()
		case s.url == "":
			return got, err
		default:
			got.discovery = err // the address from before may still serve
		}
	}
	got.address = fetch.WithoutQuery(s.url)
	if err := s.get(ctx, last, &got); err != nil {
		err = fmt.Errorf("key set at %s: %w", got.address, fetch.Cause(err))
		if got.discovery != nil {
			err = fmt.Errorf("%w; %w", err, got.discovery) // on one line, for logs
		}
		return got, err
	}
	return got, nil
}

// discover reads from the issuer's metadata where its key set is.
func (s *remote) discover(ctx context.Context) (string, error) {
	ctx, ended := s.observer.Begin(ctx, observe.Operation{Kind: observe.Discover, Issuer: s.issuer})
	found, err := metadata.Discover(ctx, s.client, s.issuer, metadata.JWKS, s.allowHTTP)
	ended(err)
	return found, err
}

// get asks for the key set at s.url.
func (s *remote) get(ctx context.Context, last *snapshot, got *fetched) error {
	req, err := http.NewRequest(http.MethodGet, s.url, nil)
	if err != nil {
		return errors.New("not a URL")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	conditional := last != nil && s.tag.value != "" && s.tag.url == s.url
	if conditional {
		req.Header.Set("If-None-Match", s.tag.value)
	}
	res, err := s.client.Do(ctx, req)
	if err != nil {
		return err
	}
	got.maxAge, got.hasCacheControl = maxAge(res.Header)
	switch {
	case res.Status == http.StatusNotModified && conditional:
		got.set, got.unmodified = last, true
		return nil
	case res.Status >= 300 && res.Status < 400:
		return fmt.Errorf("status %d, wanted 200: redirects are not followed", res.Status)
	case res.Status != http.StatusOK:
		return fmt.Errorf("status %d, wanted 200", res.Status)
	}
	if got.set, err = parse(res.Body, s.wanted); err != nil {
		return fmt.Errorf("status 200, %s: %w", res.Kind(), err)
	}
	s.tag = entityTag{url: s.url, value: res.Header.Get("ETag")}
	return nil
}

// maxAge returns how much longer an answer calls itself fresh: max-age less
// Age (RFC 9111 §4.2), negative if it names none or wants none remembered. We
// are a private cache, so s-maxage is not for us.
func maxAge(h http.Header) (age time.Duration, present bool) {
	values := h.Values("Cache-Control")
	age = -1
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(values, ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return -1, true
		case "max-age":
			if n, ok := seconds(strings.Trim(value, `"`)); ok {
				age = n
			}
		}
	}
	if already, ok := seconds(h.Get("Age")); ok && age >= 0 {
		age = max(0, age-already)
	}
	return age, len(values) > 0
}

// seconds parses delta-seconds (RFC 9111 §1.2.2), of which more than a year is
// as good as a year.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return time.Duration(min(n, 365*24*3600)) * time.Second, true
}
