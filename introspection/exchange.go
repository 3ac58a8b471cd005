package introspection

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// longestPause bounds what a Retry-After can ask for.
const longestPause = 5 * time.Minute

// exchange asks the endpoint about token, more than once only if it refuses
// credentials that are being rotated.
func (c *Client) exchange(ctx context.Context, endpoint, token string) (*Result, *UnavailableError) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	req, err := c.request(ctx, endpoint, token)
	if err != nil {
		return nil, unavailable(fmt.Errorf("client authentication for %s: %w", fetch.WithoutQuery(endpoint), err), 0)
	}
	res, askedAt, err := c.sendAuthenticated(ctx, req)
	if err != nil {
		failure := unavailable(err, 0)
		failure.aboutToken = errors.Is(err, fetch.ErrTooLarge)
		return nil, failure
	}
	if res.Status != http.StatusOK {
		return nil, refusal(endpoint, res)
	}
	r, err := c.read(ctx, res)
	if err != nil {
		failure := unavailable(fmt.Errorf("POST %s: status 200 with content type %s, but the body %w",
			fetch.WithoutQuery(endpoint), mediaType(res), err), 0)
		failure.Status = res.Status
		_, failure.aboutToken = errors.AsType[unreadable](err)
		return nil, failure
	}
	r.askedAt = askedAt
	c.setLifetime(r)
	return r, nil
}

// signedMediaType is a signed answer's (RFC 9701 §4).
const signedMediaType = "application/token-introspection+jwt"

// read decodes an answer, after proving it where it must be signed.
func (c *Client) read(ctx context.Context, res fetch.Response) (*Result, error) {
	body := res.Body
	if c.cfg.Answers != nil {
		if mediaType(res) != signedMediaType {
			return nil, errors.New("is not signed, and Config.Answers wants it signed (RFC 9701)")
		}
		var err error
		if body, err = c.cfg.Answers.VerifyAnswer(ctx, string(res.Body)); err != nil {
			return nil, fmt.Errorf("was not proven: %w", err)
		}
	}
	return decode(body)
}

// request builds the request for token and authenticates it.
func (c *Client) request(ctx context.Context, endpoint, token string) (*Request, error) {
	req := c.unauthenticated(endpoint, token)
	return req, c.cfg.Auth.Authenticate(ctx, req)
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
	res, err := c.http.Do(ctx, out)
	if err != nil && quotesPeer(err) {
		err = fmt.Errorf("POST %s: no HTTP answer could be read", fetch.WithoutQuery(req.Endpoint))
	}
	return res, err
}

// quotesPeer reports whether net/http put what the other side sent into err: it
// may be an echo of our request. A bad certificate came before the request.
func quotesPeer(err error) bool {
	if _, certificate := errors.AsType[*tls.CertificateVerificationError](err); certificate {
		return false
	}
	_, protocol := errors.AsType[textproto.ProtocolError](err)
	return protocol || strings.Contains(err.Error(), `"`)
}

// refusal explains an answer that is not 200. None says anything about the
// token: real servers refuse credentials with 401 and JSON, with 401 and text or
// nothing, with 403 and HTML, and with 400.
func refusal(endpoint string, res fetch.Response) *UnavailableError {
	hint, aboutToken := "", false
	switch s := res.Status; {
	case refusesClient(res):
		hint = "the authorization server refused this resource server's own credentials: check Config.Auth"
	case s == http.StatusForbidden:
		hint = "this resource server may not introspect: check Config.Auth and the client's rights"
	case s == http.StatusNotFound || s == http.StatusMethodNotAllowed:
		hint = "there is no introspection endpoint: check Config.Endpoint (Hydra has it on its admin port alone)"
	case s == http.StatusTooManyRequests:
		hint = "the authorization server wants fewer requests"
	case s >= 300 && s < 400:
		hint = "redirects are not followed, because the request carries a token and credentials: check Config.Endpoint"
	case s >= 400 && s < 500:
		// A server may answer so for one kind of token only, and every caller can
		// send one: it counts for this token alone.
		hint, aboutToken = "the authorization server would not judge this token, or not this resource server's request", true
	default:
		hint = "the authorization server failed"
	}
	failure := unavailable(fmt.Errorf("POST %s: status %d: %s", fetch.WithoutQuery(endpoint), res.Status, hint), 0)
	failure.Status, failure.aboutToken = res.Status, aboutToken
	if res.Status == http.StatusTooManyRequests || res.Status == http.StatusServiceUnavailable {
		failure.pause = pause(res.Header.Get("Retry-After"))
	}
	return failure
}

// refusesClient reports whether an answer refuses our credentials: a 401, or a
// 400 whose error says so (RFC 6749 §5.2; real servers do both).
func refusesClient(res fetch.Response) bool {
	if res.Status != http.StatusBadRequest {
		return res.Status == http.StatusUnauthorized
	}
	refused := false
	err := strictjson.Members(res.Body, func(name string, value strictjson.Value) error {
		if name == "error" {
			code, _ := value.String()
			refused = code == "invalid_client" || code == "unauthorized_client"
		}
		return nil
	})
	return err == nil && refused
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
