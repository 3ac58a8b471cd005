// Package token gets an access token by client credentials (RFC 6749 §4.4), for trying
// an API, and calls the API with it. Nothing here prints a token: who wants its text
// asks for it by name.
package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// Request says what token is wanted, and of whom.
type Request struct {
	Issuer   string // to discover the endpoint from, and whom assertions are for; or
	Endpoint string
	Auth     introspection.ClientAuth
	Scope    string
	Audience string
	Resource []string
	DPoP     bool
	// MTLS takes the endpoint that the issuer has for clients with certificates, if it
	// names one (RFC 8705 §5).
	MTLS bool

	HTTPClient *http.Client // nil: http.DefaultClient
	// AllowHTTP allows http to an issuer, and its token endpoint, on hosts other than loopback.
	AllowHTTP bool
	Now       func() time.Time // nil: time.Now
}

// Token is a token that was issued.
type Token struct {
	Type      string        // as the issuer wrote it
	Scope     string        // as the issuer wrote it; empty: as asked for
	ExpiresIn time.Duration // 0: it does not say

	text    string
	hidden  secrets // the token's text, and proofs
	sent    secrets // what authenticates the client
	prover  *prover // nil: it is not bound to a key
	client  *http.Client
	request Request
}

// Text is the token itself, which is as good as a password while it lives.
func (t *Token) Text() string { return t.text }

// String does not show the token.
func (t *Token) String() string { return "token.Token{…}" }

// Format does not show the token, whatever the verb is.
func (t *Token) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, t.String()) }

// Bound says whether the token is bound to the key of this program's proofs.
func (t *Token) Bound() bool { return t.prover != nil }

// Hide returns text without pieces of the token, of proofs and of the client's
// credentials, however they are escaped. What is to be cut is cut afterwards: a piece of
// less than 16 characters is no piece.
func (t *Token) Hide(text string) string { return t.sent.hide(t.hidden.hide(text)) }

// RefusedError is an issuer's answer that is no token (RFC 6749 §5.2), without what
// authenticates the client, if it is sent back.
type RefusedError struct {
	Endpoint    string
	Status      int
	Code        string // its member error; empty for none
	Description string
}

// Error says what the issuer said.
func (e *RefusedError) Error() string {
	text := fmt.Sprintf("%s answers %d", e.Endpoint, e.Status)
	if e.Code != "" {
		text += fmt.Sprintf(", %.60q", e.Code)
	}
	if e.Description != "" {
		text += fmt.Sprintf(": %.300q", e.Description)
	}
	return text
}

// maxAnswer bounds an answer of an issuer's, in bytes.
const maxAnswer = 1 << 20

// Get gets a token. What the issuer refused is a *RefusedError.
func Get(ctx context.Context, r Request) (*Token, error) {
	if r.Now == nil {
		r.Now = time.Now
	}
	t := &Token{request: r, client: follow(r.HTTPClient), hidden: secrets{word: "[the token]"}, sent: secrets{word: "[a credential]"}}
	if r.Endpoint == "" {
		var err error
		if r.Endpoint, err = t.discover(ctx); err != nil {
			return nil, err
		}
	}
	endpoint, err := checked(r.Endpoint, r.AllowHTTP)
	if err != nil {
		return nil, fmt.Errorf("token endpoint %w", err)
	}
	if r.DPoP {
		if t.prover, err = newProver(r.Now); err != nil {
			return nil, err
		}
	}
	resp, err := t.prove(ctx, func(ctx context.Context) (*http.Request, error) { return r.post(ctx, &t.sent) }, endpoint, "")
	if err != nil {
		return nil, err
	}
	return t, t.read(resp)
}

// post makes the request. Each one has an authentication of its own, because an
// assertion is good once, and adds it to sent.
func (r *Request) post(ctx context.Context, sent *secrets) (*http.Request, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	for name, value := range map[string]string{"scope": r.Scope, "audience": r.Audience} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if len(r.Resource) > 0 {
		form["resource"] = r.Resource
	}
	public := maps.Clone(form)
	shown := &introspection.Request{Issuer: r.Issuer, Endpoint: r.Endpoint, Form: form, Header: http.Header{"Accept": {"application/json"}}}
	if err := r.Auth.Authenticate(ctx, shown); err != nil {
		return nil, err
	}
	sent.addSent(shown.Form, public, shown.Header)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Endpoint, strings.NewReader(shown.Form.Encode()))
	if err != nil {
		return nil, errors.New("token endpoint is no URL")
	}
	req.Header = shown.Header
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

// prove sends what build makes, with a proof if there is a prover, and once more where
// the answer asks for a nonce (RFC 9449 §8, §9).
func (t *Token) prove(ctx context.Context, build func(context.Context) (*http.Request, error), target *url.URL, token string) (*http.Response, error) {
	nonce := ""
	for {
		req, err := build(ctx)
		if err != nil {
			return nil, err
		}
		if t.prover != nil {
			proof, err := t.prover.proof(req.Method, target, token, nonce)
			if err != nil {
				return nil, err
			}
			t.hidden.add(proof)
			req.Header.Set("DPoP", proof)
		}
		resp, err := t.client.Do(req)
		if err != nil {
			return nil, Told(req, err)
		}
		next := resp.Header.Get("DPoP-Nonce")
		if t.prover == nil || nonce != "" || next == "" || resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnauthorized {
			return resp, nil
		}
		_ = resp.Body.Close()
		nonce = next
	}
}

// read takes the issuer's answer in.
func (t *Token) read(resp *http.Response) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Told(resp.Request, err)
	}
	var answer struct {
		AccessToken string      `json:"access_token"`
		TokenType   string      `json:"token_type"`
		ExpiresIn   json.Number `json:"expires_in"`
		Scope       string      `json:"scope"`
		Error       string      `json:"error"`
		Description string      `json:"error_description"`
	}
	broken := json.Unmarshal(body, &answer) != nil
	at := bare(resp.Request.URL)
	switch {
	case resp.StatusCode != http.StatusOK:
		if answer.AccessToken != "" { // of a server that says both yes and no
			answer.Error, answer.Description = "", "the answer holds an access_token all the same"
		}
		return &RefusedError{at, resp.StatusCode, t.Hide(answer.Error), t.Hide(answer.Description)}
	case broken:
		return fmt.Errorf("%s answers what is no JSON", at)
	case answer.AccessToken == "":
		return fmt.Errorf("%s answers without an access_token", at)
	case !isB64Token(answer.AccessToken):
		return fmt.Errorf("%s answers with an access_token of characters that no token has (RFC 6750 §2.1)", at)
	case strings.EqualFold(answer.TokenType, "DPoP") && t.prover == nil:
		return fmt.Errorf("%s answers with a token that is bound to a key, though none was shown", at)
	case !strings.EqualFold(answer.TokenType, "DPoP"):
		t.prover = nil // the issuer took no notice of the proof
	}
	seconds, _ := answer.ExpiresIn.Int64() // optional (RFC 6749 §5.1)
	t.text, t.Type, t.Scope, t.ExpiresIn = answer.AccessToken, answer.TokenType, answer.Scope, time.Duration(min(max(seconds, 0), longestLife))*time.Second
	t.hidden.add(t.text)
	return nil
}

// longestLife bounds what is told of a token's life, in seconds: a hundred years.
const longestLife = 100 * 365 * 24 * 60 * 60

// isB64Token reports whether text is what a token is made of (RFC 6750 §2.1).
func isB64Token(text string) bool {
	text = strings.TrimRight(text, "=")
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/", r)
	})
}

// Call calls an API with the token, by https or on loopback, whatever Request.AllowHTTP
// says of the issuer. The answer's body is the caller's to close.
func (t *Token) Call(ctx context.Context, method, address string) (*http.Response, error) {
	target, err := checked(address, false)
	if err != nil {
		return nil, fmt.Errorf("the API's address %w", err)
	}
	return t.prove(ctx, func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, method, address, nil)
		if err != nil {
			return nil, fmt.Errorf("no request can be made by the method %.20q", method)
		}
		scheme := "Bearer"
		if t.Bound() {
			scheme = "DPoP"
		}
		req.Header.Set("Authorization", scheme+" "+t.text)
		return req, nil
	}, target, t.text)
}

// CanCall says why Call would send nothing to an address, or by a method.
func (r *Request) CanCall(method, address string) error {
	if _, err := checked(address, false); err != nil {
		return fmt.Errorf("the API's address %w", err)
	}
	if _, err := http.NewRequest(method, "/", nil); err != nil {
		return fmt.Errorf("no request can be made by the method %.20q", method)
	}
	return nil
}

// follow is client without redirects: credentials go where they were sent.
func follow(client *http.Client) *http.Client {
	var c http.Client
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// checked reads an address that credentials may be sent to.
func checked(address string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return nil, errors.New("is no absolute URL without a user")
	case u.Scheme == "https", u.Scheme == "http" && (allowHTTP || loopback(u.Hostname())):
		return u, nil
	}
	return nil, fmt.Errorf("is %s://%s, wanted https: whoever is on the path would read the credentials", u.Scheme, u.Host)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
