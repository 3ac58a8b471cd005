package introspection

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
)

// What a Retry-After can ask for: about first sights, and about all.
const (
	longestPause    = 5 * time.Minute
	longestStopping = 30 * time.Second
)

// exchange asks the endpoint about token, more than once only if it refuses
// credentials that are being rotated.
func (c *Client) exchange(ctx context.Context, endpoint, token string) (heard, *failed) {
	bounded, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	if c.cfg.Introspector != nil {
		return c.exchangeOwn(ctx, bounded, token)
	}
	req, err := c.request(bounded, endpoint, token)
	if err != nil {
		f := sendFailure(ctx, fmt.Errorf("client authentication for %s: %w", fetch.WithoutQuery(endpoint), err))
		if f.kind == odd {
			f.kind = unreached // it has not seen the token's text
		}
		return heard{}, f
	}
	s := c.sendAuthenticated(bounded, req)
	r, f := c.outcome(ctx, bounded, endpoint, s)
	if f != nil {
		f.sentAt, f.as, f.vault = s.at, c.credentialOf(s.req), s.vault
		return heard{}, f
	}
	r.askedAt = s.at
	c.setLifetime(r)
	return heard{r, evidence{endpoint, c.credentialOf(s.req), s.event}}, nil
}

// heard is an answer, and what it is evidence of if it is active.
type heard struct {
	*Result
	evidence
}

// outcome reads what came back, or says why nothing usable did.
func (c *Client) outcome(ctx, bounded context.Context, endpoint string, s sent) (*Result, *failed) {
	if s.err != nil {
		return nil, sendFailure(ctx, s.err)
	}
	if s.res.Status != http.StatusOK {
		return nil, c.statusFailure(endpoint, s.res)
	}
	r, err := c.read(bounded, s.res)
	if err == nil && c.shared != nil && c.cfg.Answers != nil {
		r.signed = s.res.Body
	}
	if err != nil {
		f := sendFailure(ctx, fmt.Errorf("POST %s: status 200 with content type %s%s, but the body %w",
			fetch.WithoutQuery(endpoint), mediaType(s.res), s.res.Encoding(), err))
		f.Status = s.res.Status
		_, f.word = errors.AsType[unreadable](err)
		return nil, f
	}
	return r, nil
}

// signedMediaType is a signed answer's (RFC 9701 §4).
const signedMediaType = "application/token-introspection+jwt"

// read decodes an answer, after proving it where it must be signed.
func (c *Client) read(ctx context.Context, res fetch.Response) (*Result, error) {
	if c.cfg.Answers != nil && mediaType(res) != signedMediaType {
		return nil, errors.New("is not signed, and Config.Answers wants it signed (RFC 9701)")
	}
	return c.readBody(ctx, res.Body)
}

// readBody is read without what HTTP says of the answer.
func (c *Client) readBody(ctx context.Context, body []byte) (*Result, error) {
	if c.cfg.Answers != nil {
		var err error
		if body, err = c.cfg.Answers.VerifyAnswer(ctx, string(body)); err != nil {
			return nil, fmt.Errorf("was not proven: %w", err)
		}
	}
	return decode(body, c.cfg.NoExpiry)
}

// request builds the request for token and authenticates it.
func (c *Client) request(ctx context.Context, endpoint, token string) (*Request, error) {
	return c.authenticate(ctx, func() *Request { return c.unauthenticated(endpoint, token) })
}

// unauthenticated builds the request for token (RFC 7662 §2.1).
func (c *Client) unauthenticated(endpoint, token string) *Request {
	req := &Request{
		Endpoint: endpoint,
		Form:     url.Values{"token": {token}, "token_type_hint": {"access_token"}},
		Header:   http.Header{"Accept": {"application/json"}},
		Issuer:   c.cfg.Issuer,
	}
	if c.cfg.Answers != nil {
		req.Header.Set("Accept", signedMediaType)
	}
	return req
}

func (c *Client) send(ctx context.Context, req *Request) (fetch.Response, error) {
	out, err := http.NewRequest(http.MethodPost, req.Endpoint, strings.NewReader(req.Form.Encode()))
	if err != nil {
		return fetch.Response{}, err
	}
	maps.Copy(out.Header, req.Header)
	out.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.http.Do(ctx, out)
}

// pause reads a Retry-After (RFC 9110 §10.2.3): seconds or a date.
func pause(value string) time.Duration {
	if value != "" && !slices.ContainsFunc([]byte(value), func(b byte) bool { return b < '0' || b > '9' }) {
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return longestPause
		}
		return min(time.Duration(seconds)*time.Second, longestPause)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(at), 0), longestPause)
	}
	return 0
}

// setLifetime says until when r may be served again: for its kind's lifetime,
// counted from the moment of asking, and never past exp.
func (c *Client) setLifetime(r *Result) {
	lifetime := c.cfg.NegativeLifetime
	if r.active {
		lifetime = c.cfg.PositiveLifetime
	}
	if lifetime < 0 || c.cfg.CacheEntries < 0 || c.expired(r) {
		return
	}
	r.until = r.askedAt.Add(lifetime)
	if r.exp.IsZero() {
		return
	}
	if end := time.Now().Add(r.exp.Sub(c.cfg.Now())); end.Before(r.until) {
		r.until = end
	}
}

// expired reports whether r's exp has come.
func (c *Client) expired(r *Result) bool { return !r.exp.IsZero() && !c.cfg.Now().Before(r.exp) }

// mediaType is an answer's content type if it is one that explains something.
// Another is not repeated: it could be an echo of the request.
func mediaType(res fetch.Response) string {
	t, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	switch t = strings.ToLower(strings.TrimSpace(t)); t {
	case "application/json", signedMediaType, "text/html", "text/plain":
		return t
	case "":
		return "missing"
	}
	return "unknown"
}
