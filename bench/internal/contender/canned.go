package contender

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Canned returns a client that answers every request at once with what the
// issuer's introspection endpoint says of raw: what is left of an introspection
// then is the library's own work, without the issuer's and the network's.
func Canned(f *fixture.Fixture, raw string) (*http.Client, error) {
	request, err := http.NewRequest(http.MethodPost, f.IntrospectionURL(), strings.NewReader(url.Values{"token": {raw}}.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(issuertest.ClientID, issuertest.ClientSecret)
	response, err := f.Client().Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // all of it is read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("contender: introspection answered %s", response.Status)
	}
	return &http.Client{Transport: &canned{header: response.Header, body: body}}, nil
}

// canned is a transport with one answer.
type canned struct {
	header http.Header
	body   []byte
}

var _ http.RoundTripper = (*canned)(nil)

// RoundTrip implements http.RoundTripper.
func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		Status:        "200 OK",
		StatusCode:    http.StatusOK,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        c.header.Clone(),
		Body:          io.NopCloser(bytes.NewReader(c.body)),
		ContentLength: int64(len(c.body)),
		Request:       r,
	}, nil
}
