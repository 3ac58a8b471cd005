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
	r, err := http.NewRequestWithContext(ctx, method, a.url+"/orders", nil)
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
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

// parts finds what differs from challenge to challenge, besides the description.
var parts = regexp.MustCompile(`^Bearer realm="api"(?:, error="(\w+)", error_description="[^"]+")?(?:, scope="([^"]+)")?$`)

// shorten leaves the realm and the description out of a challenge, and lets a
// challenge stand that is not of the form which it should have.
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
