package introspection_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
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

// Kubernetes answers about tokens of its service accounts by a TokenReview
// (authentication.k8s.io/v1). The server here is a stand-in that does so, too.
func ExampleIntrospector() {
	apiserver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review tokenReview
		if r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews" || r.Header.Get("Authorization") != "Bearer token-of-this-pod" || json.NewDecoder(r.Body).Decode(&review) != nil {
			http.Error(w, "Forbidden", http.StatusForbidden)
			return
		}
		review.Status.Authenticated = review.Spec.Token == "of-the-account-reports"
		if review.Status.Authenticated {
			review.Status.User.Username = "system:serviceaccount:billing:reports"
			review.Status.Audiences = review.Spec.Audiences
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(review)
	}))
	defer apiserver.Close()

	// In a validator.Issuer this is Introspection, beside an Audience of the same name.
	client, err := introspection.New(introspection.Config{
		Introspector: &kubernetes{
			url:       apiserver.URL + "/apis/authentication.k8s.io/v1/tokenreviews",
			audience:  "https://orders.example.com",
			podsToken: func() (string, error) { return "token-of-this-pod", nil }, // from a file that rotates
			client:    apiserver.Client(),                                         // which trusts the cluster's CA
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for _, token := range []string{"of-the-account-reports", "of-a-pod-that-is-gone"} {
		result, err := client.Introspect(context.Background(), token)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(result.Claims()))
	}
	// Output:
	// {"active":true,"aud":["https://orders.example.com"],"sub":"system:serviceaccount:billing:reports"}
	// {"active":false}
}

// kubernetes is an Introspector.
type kubernetes struct {
	url, audience string
	podsToken     func() (string, error)
	client        *http.Client
}

// tokenReview is as much of a TokenReview as is needed here.
type tokenReview struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Token     string   `json:"token,omitempty"`
		Audiences []string `json:"audiences"`
	} `json:"spec"`
	Status struct {
		Authenticated bool     `json:"authenticated"`
		Audiences     []string `json:"audiences,omitempty"`
		User          struct {
			Username string `json:"username"`
		} `json:"user"`
	} `json:"status"`
}

func (k *kubernetes) IntrospectToken(ctx context.Context, token string) (introspection.Answer, error) {
	review := tokenReview{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview"}
	review.Spec.Token, review.Spec.Audiences = token, []string{k.audience}
	body, err := json.Marshal(review)
	if err != nil {
		return introspection.Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.url, bytes.NewReader(body))
	if err != nil {
		return introspection.Answer{}, err
	}
	own, err := k.podsToken()
	if err != nil {
		return introspection.Answer{}, introspection.AboutEndpoint(err, 0) // ours, whatever the token is
	}
	req.Header.Set("Authorization", "Bearer "+own)
	req.Header.Set("Content-Type", "application/json")
	res, err := k.client.Do(req)
	if err != nil {
		return introspection.Answer{}, err // whose fault that is, the Client finds out
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusCreated, http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return introspection.Answer{}, introspection.AboutEndpoint(errors.New("this pod may not review tokens: it needs the role system:auth-delegator"), 0)
	case http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return introspection.Answer{}, introspection.AboutEndpoint(errors.New("too many reviews"), time.Duration(seconds)*time.Second)
	default:
		return introspection.Answer{}, fmt.Errorf("status %d", res.StatusCode)
	}
	review = tokenReview{}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&review); err != nil {
		return introspection.Answer{}, err
	}
	return introspection.Answer{Active: review.Status.Authenticated, Claims: map[string]any{
		"sub": review.Status.User.Username,
		"aud": review.Status.Audiences, // empty where the server takes no notice of audiences: then it is refused
	}}, nil
}
