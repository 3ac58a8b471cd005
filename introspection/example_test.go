package introspection_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// An API asks about two tokens, the first one twice: the endpoint is asked once
// for each.
func Example() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		fmt.Fprintf(w, `{"active":%t}`, r.FormValue("token") == "good")
	}))
	defer server.Close()

	client, err := introspection.New(introspection.Config{
		Endpoint:         server.URL,
		Auth:             introspection.ClientSecretBasic("orders-api", introspection.Secret("from the environment")),
		PositiveLifetime: 10 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	for _, token := range []string{"good", "good", "revoked"} {
		result, err := client.Introspect(context.Background(), token)
		if errors.Is(err, introspection.ErrUnavailable) {
			fmt.Println("503: nobody knows")
			continue
		}
		fmt.Println(token, "is active:", result.Active())
	}
	fmt.Println("requests:", requests)
	// Output:
	// good is active: true
	// good is active: true
	// revoked is active: false
	// requests: 2
}

// A client authentication method of one's own: here a bearer token from
// somewhere else (RFC 7662 §2.1).
func ExampleClientAuth() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Header.Get("Authorization"))
		io.WriteString(w, `{"active":true,"client_id":"billing"}`)
	}))
	defer server.Close()

	client, err := introspection.New(introspection.Config{Endpoint: server.URL, Auth: bearer{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	result, err := client.Introspect(context.Background(), "opaque-token")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(result.Claims()))
	// Output:
	// Bearer access-token-of-the-api
	// {"active":true,"client_id":"billing"}
}

type bearer struct{}

func (bearer) Authenticate(_ context.Context, req *introspection.Request) error {
	req.Header.Set("Authorization", "Bearer access-token-of-the-api")
	return nil
}

// Google's tokeninfo knows the access tokens of its service accounts, which are opaque.
// It answers 400 about a token that is not active, and writes numbers as strings. The
// server here is a stand-in that does so, too. (For Kubernetes' TokenReview there is
// providers.KubernetesAPI.)
func ExampleIntrospector() {
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("access_token") != "ya29.of-billing" {
			http.Error(w, `{"error":"invalid_token","error_description":"Invalid Value"}`, http.StatusBadRequest)
			return
		}
		io.WriteString(w, `{"azp":"110248495921238986420","aud":"110248495921238986420","sub":"110248495921238986420","scope":"openid","exp":"4102444800","expires_in":"3599","access_type":"online"}`)
	}))
	defer google.Close()

	// In a validator.Issuer this is Introspection, and Issuer.Audience lists the clients
	// that may call: Google's access tokens name no API.
	client, err := introspection.New(introspection.Config{Introspector: &tokenInfo{url: google.URL, client: google.Client()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for _, token := range []string{"ya29.of-billing", "ya29.expired"} {
		result, err := client.Introspect(context.Background(), token)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(result.Claims()))
	}
	// Output:
	// {"active":true,"aud":"110248495921238986420","client_id":"110248495921238986420","exp":4102444800,"scope":"openid","sub":"110248495921238986420"}
	// {"active":false}
}

// tokenInfo is an Introspector.
type tokenInfo struct {
	url    string
	client *http.Client
}

func (i *tokenInfo) IntrospectToken(ctx context.Context, token string) (introspection.Answer, error) {
	form := url.Values{"access_token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.url, strings.NewReader(form.Encode()))
	if err != nil {
		return introspection.Answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := i.client.Do(req)
	if err != nil {
		return introspection.Answer{}, err // whose fault that is, the Client finds out
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusTooManyRequests {
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return introspection.Answer{}, introspection.AboutEndpoint(errors.New("too many requests"), time.Duration(seconds)*time.Second)
	}
	var info struct {
		Error    string `json:"error"`
		Audience string `json:"aud"`
		Client   string `json:"azp"`
		Subject  string `json:"sub"`
		Scope    string `json:"scope"`
		Expiry   int64  `json:"exp,string"` // which Answer.Claims wants as a number
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&info); err != nil {
		return introspection.Answer{}, fmt.Errorf("status %d: %w", res.StatusCode, err)
	}
	switch {
	case res.StatusCode == http.StatusBadRequest && info.Error == "invalid_token":
		return introspection.Answer{}, nil // not active
	case res.StatusCode != http.StatusOK || info.Expiry == 0:
		return introspection.Answer{}, fmt.Errorf("status %d, or no exp", res.StatusCode)
	}
	return introspection.Answer{Active: true, Claims: map[string]any{
		"aud": info.Audience, "client_id": info.Client, "sub": info.Subject, "scope": info.Scope, "exp": info.Expiry,
	}}, nil
}
