package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
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
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	var body struct {
		greeting
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return answer{}, fmt.Errorf("%s: status %d with a body that is not JSON", a.name, resp.StatusCode)
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

// parts finds what differs from challenge to challenge, besides the description and
// where the API's metadata is. With 401 there is a second challenge, for DPoP.
var parts = regexp.MustCompile(`^Bearer realm="api"(?:, error="(\w+)", error_description="[^"]+")?(?:, scope="([^"]+)")?, resource_metadata="[^"]+"` +
	`(?:, DPoP realm="api", scope="[^"]+", resource_metadata="[^"]+", algs="[^"]+")?$`)

// shorten leaves these and the realm out of a challenge, and lets a challenge stand
// that is not of the form which it should have.
func shorten(challenge string) string {
	found := parts.FindStringSubmatch(challenge)
	if found == nil {
		return challenge
	}
	short := "Bearer"
	for _, part := range found[1:] {
		if part != "" {
			short += " " + part
		}
	}
	return short
}
