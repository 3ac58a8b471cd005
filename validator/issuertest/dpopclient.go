package issuertest

import (
	"bytes"
	"crypto"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// DPoPClient is an [http.RoundTripper] that proves possession of a key: every
// request gets a new proof in its header field DPoP (RFC 9449 §4). Where the
// caller shows an access token, in "Authorization: DPoP …", the proof is for that
// token. A nonce that a server hands out is kept for that server, and a request
// that was refused for the want of one is sent once more (§8, §9), if its body can
// be had again from GetBody, as with [http.NewRequest].
//
// A proof is good once: a transport below that repeats a request by itself, as
// [http.Transport] may where a kept connection broke, repeats the proof, too.
//
// The fields are set before the first request.
type DPoPClient struct {
	_ [0]func()

	// Algorithm is as in [ProofClaims].
	Algorithm string

	// Now is the time at which proofs are made; nil means [time.Now].
	Now func() time.Time

	key  crypto.Signer
	base http.RoundTripper

	mu     sync.Mutex
	nonces map[string]string // by origin
}

var _ http.RoundTripper = (*DPoPClient)(nil)

// NewDPoPClient returns a client that proves possession of a key and sends its
// requests through base; nil means [http.DefaultTransport]. As the client of
// golang.org/x/oauth2, it gets bound tokens and shows them:
//
//	dpop := &http.Client{Transport: issuertest.NewDPoPClient(key, iss.Client().Transport)}
//	client := config.Client(context.WithValue(ctx, oauth2.HTTPClient, dpop))
//
// It panics if the key is no RSA, ECDSA or Ed25519 key.
func NewDPoPClient(key crypto.Signer, base http.RoundTripper) *DPoPClient {
	proofAlgorithm(key) // panics if there is none
	if base == nil {
		base = http.DefaultTransport
	}
	return &DPoPClient{key: key, base: base, nonces: make(map[string]string)}
}

// RoundTrip sends a request with a proof.
func (c *DPoPClient) RoundTrip(r *http.Request) (*http.Response, error) {
	nonce := c.nonce(r.URL)
	resp, err := c.send(r, r.Body, nonce)
	if err != nil {
		return nil, err
	}
	next := c.nonce(r.URL)
	if next == nonce || !wantsNonce(resp) {
		return resp, nil
	}
	body := r.Body
	if body != nil && body != http.NoBody {
		if r.GetBody == nil {
			return resp, nil
		}
		if body, err = r.GetBody(); err != nil {
			return resp, nil // the refusal says more
		}
	}
	_ = resp.Body.Close()
	return c.send(r, body, next)
}

// send makes a proof, sends a copy of the request with it, and keeps the nonce of
// the answer.
func (c *DPoPClient) send(r *http.Request, body io.ReadCloser, nonce string) (*http.Response, error) {
	claims := ProofClaims{Method: r.Method, URL: targetURL(r), Nonce: nonce, Algorithm: c.Algorithm}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "DPoP") {
		claims.Token = strings.TrimLeft(token, " ")
	}
	if c.Now != nil {
		claims.IssuedAt = c.Now()
	}
	proven := r.Clone(r.Context())
	proven.Body = body
	proven.Header.Set("DPoP", Proof(c.key, claims))
	resp, err := c.base.RoundTrip(proven)
	if err != nil {
		return nil, err
	}
	if next := resp.Header.Get("DPoP-Nonce"); next != "" {
		c.mu.Lock()
		c.nonces[origin(r.URL)] = next
		c.mu.Unlock()
	}
	return resp, nil
}

func (c *DPoPClient) nonce(u *url.URL) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nonces[origin(u)]
}

// origin is whose nonces a server's are (RFC 9449 §8.2, §9).
func origin(u *url.URL) string { return strings.ToLower(u.Scheme + "://" + u.Host) }

// targetURL is the URL of a request as the server sees it (RFC 9110 §7.1).
func targetURL(r *http.Request) string {
	host, path := r.URL.Host, r.URL.EscapedPath()
	if r.Host != "" {
		host = r.Host
	}
	if path == "" {
		path = "/"
	}
	return r.URL.Scheme + "://" + host + path
}

// maxRefusal bounds how much of a refusal is read ahead, in bytes.
const maxRefusal = 64 << 10

// wantsNonce reports whether a request was refused for its nonce, by a resource
// server (RFC 9449 §9) or a token endpoint (§8). The body stays readable.
func wantsNonce(resp *http.Response) bool {
	const code = "use_dpop_nonce"
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return strings.Contains(strings.Join(resp.Header.Values("WWW-Authenticate"), ","), code)
	case http.StatusBadRequest:
		start, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // who reads on gets the error again
		resp.Body = &readAhead{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
		var refusal struct {
			Error string `json:"error"`
		}
		return json.Unmarshal(start, &refusal) == nil && refusal.Error == code
	}
	return false
}

// readAhead is a body whose start was read already.
type readAhead struct {
	io.Reader
	io.Closer
}
