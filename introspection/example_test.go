package introspection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
