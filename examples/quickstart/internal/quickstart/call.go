package quickstart

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// answer is what an API said to one request.
type answer struct {
	status     int
	challenge  string // WWW-Authenticate
	retryAfter string // Retry-After
	reason     string // from the body: why not, or who was let in
}

// call sends one request to an API; without a token if that is empty.
func (d *demo) call(ctx context.Context, a *api, method, token string) (answer, error) {
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return d.send(ctx, a, method, header)
}

// send sends one request with this header.
func (d *demo) send(ctx context.Context, a *api, method string, header http.Header) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.url+"/orders", nil)
	if err != nil {
		return answer{}, err
	}
	r.Header = header
	resp, err := d.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	var body struct {
		Greeting
		Description string `json:"error_description"`
	}
	if err := decode(resp, &body); err != nil {
		return answer{}, fmt.Errorf("%s: %w", a.name, err)
	}
	reason := body.Description
	if body.Client != "" {
		reason = "Let in as " + body.Client + "."
	}
	return answer{
		status:     resp.StatusCode,
		challenge:  resp.Header.Get("WWW-Authenticate"),
		retryAfter: resp.Header.Get("Retry-After"),
		reason:     reason,
	}, nil
}

// expect sends one request and fails if the status is another one.
func (d *demo) expect(ctx context.Context, a *api, method, token string, status int) (answer, error) {
	got, err := d.call(ctx, a, method, token)
	if err == nil && got.status != status {
		err = fmt.Errorf("%s answered %d, expected %d: %s", a.name, got.status, status, got.reason)
	}
	return got, err
}

// expectAll does so with each of several APIs.
func (d *demo) expectAll(ctx context.Context, apis []*api, method, token string, status int) error {
	for _, a := range apis {
		if _, err := d.expect(ctx, a, method, token, status); err != nil {
			return err
		}
	}
	return nil
}

// token asks an issuer for a token with the scope orders:read, as a program on
// another machine would (RFC 6749 §4.4).
func (d *demo) token(ctx context.Context, k kind, issuer *issuertest.Issuer, audience string) (string, error) {
	return tokenBy(ctx, d.client, k, issuer, audience)
}

// tokenBy asks by way of another client than the demo's, such as one that proves
// possession of a key.
func tokenBy(ctx context.Context, by *http.Client, k kind, issuer *issuertest.Issuer, audience string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read"}, "audience": {audience}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer.TokenURL(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(k.clientID, clientSecret)
	resp, err := by.Do(r)
	if err != nil {
		return "", err
	}
	var body struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	if err := decode(resp, &body); err != nil {
		return "", fmt.Errorf("the issuer: %w", err)
	}
	if body.AccessToken == "" {
		return "", fmt.Errorf("the issuer answered %d and no token: %s", resp.StatusCode, body.Error)
	}
	return body.AccessToken, nil
}

// maxBody bounds what is read of an answer, in bytes.
const maxBody = 1 << 20

// decode reads the JSON of an answer and closes it.
func decode(resp *http.Response, into any) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("status %d with a body that is not JSON", resp.StatusCode)
	}
	return nil
}

// shorten leaves the scheme, the error code and the scope of a challenge, and lets one
// stand that does not begin as it should.
func shorten(challenge string) string {
	rest, ok := strings.CutPrefix(challenge, `Bearer realm="api"`)
	if !ok {
		return challenge
	}
	short := "Bearer"
	for _, name := range []string{"error", "scope"} {
		_, after, _ := strings.Cut(rest, ", "+name+`="`)
		if value, _, _ := strings.Cut(after, `"`); value != "" {
			short += " " + value
		}
	}
	return short
}
