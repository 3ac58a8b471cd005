package providers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/m2mguard/m2mguard/introspection"
)

// Review asks the API server about a token (TokenReview), for Issuer.Introspection
// beside Keys: RequireFresh then refuses the token of a pod or an account that was
// deleted, which its signature does not show. The audience is Issuer.Audience.
//
//	iss.Introspection = providers.KubernetesAPI{}.Review(iss.Audience...)
//
// A token is active if the server authenticates it and says that it is meant for one
// of these. Nothing but a JWT is sent there: no service account has another token.
// The account of TokenFile needs the cluster role system:auth-delegator. Each call
// is a connection of its own.
//
// Source: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/.
func (a KubernetesAPI) Review(audience ...string) *introspection.Config {
	return &introspection.Config{Introspector: &tokenReviewer{
		http:     a.client(),
		url:      a.server() + "/apis/authentication.k8s.io/v1/tokenreviews",
		audience: slices.Clone(audience),
	}}
}

// maxReview bounds an answer, which repeats the token.
const maxReview = 128 << 10

// tokenReviewer asks one API server.
type tokenReviewer struct {
	http     *http.Client
	url      string
	audience []string
}

var _ introspection.Introspector = (*tokenReviewer)(nil)

// tokenReview is the part of a TokenReview that concerns a service account.
type tokenReview struct {
	Version string `json:"apiVersion"`
	Kind    string `json:"kind"`
	Spec    struct {
		Token     string   `json:"token"`
		Audiences []string `json:"audiences"`
	} `json:"spec"`
	Status struct {
		Authenticated bool     `json:"authenticated"`
		Audiences     []string `json:"audiences"`
		User          struct {
			Name  string              `json:"username"`
			UID   string              `json:"uid"`
			Extra map[string][]string `json:"extra"`
		} `json:"user"`
	} `json:"status,omitzero"`
}

// IntrospectToken implements [introspection.Introspector].
func (k *tokenReviewer) IntrospectToken(ctx context.Context, token string) (introspection.Answer, error) {
	if len(k.audience) == 0 || slices.Contains(k.audience, "") {
		return introspection.Answer{}, introspection.AboutEndpoint(errors.New("KubernetesAPI.Review was given no audience, or an empty one"), 0)
	}
	if strings.Count(token, ".") != 2 {
		return introspection.Answer{}, nil
	}
	review := tokenReview{Version: "authentication.k8s.io/v1", Kind: "TokenReview"}
	review.Spec.Token, review.Spec.Audiences = token, k.audience
	body, err := json.Marshal(&review)
	if err != nil {
		return introspection.Answer{}, errors.New("the token cannot be written as JSON")
	}
	if body, err = k.post(ctx, body); err != nil {
		return introspection.Answer{}, err
	}
	var answer tokenReview
	if json.Unmarshal(body, &answer) != nil || answer.Kind != review.Kind { // an error could quote the token
		return introspection.Answer{}, errors.New("the API server's answer is no TokenReview")
	}
	return k.read(&answer), nil
}

// post sends a review and returns the answer to it.
func (k *tokenReviewer) post(ctx context.Context, review []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.url, bytes.NewReader(review))
	if err != nil {
		return nil, introspection.AboutEndpoint(errors.New("the API server's address is no URL"), 0)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	res, err := k.http.Do(req)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, introspection.AboutEndpoint(err, 0)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK, http.StatusCreated:
		body, err := io.ReadAll(io.LimitReader(res.Body, maxReview+1))
		if err == nil && len(body) > maxReview {
			err = fmt.Errorf("the API server's answer is longer than %d bytes", maxReview)
		}
		return body, err
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, introspection.AboutEndpoint(fmt.Errorf("status %d from the API server: the account of the pod's own token needs the cluster role system:auth-delegator", res.StatusCode), 0)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		seconds, _ := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 16)
		return nil, introspection.AboutEndpoint(fmt.Errorf("status %d from the API server", res.StatusCode), time.Duration(seconds)*time.Second)
	}
	return nil, fmt.Errorf("status %d from the API server", res.StatusCode)
}

// read turns a review into an answer as RFC 7662 has it. A server that names none of
// the audiences that it was asked for knows nothing of audiences, or means its own.
func (k *tokenReviewer) read(review *tokenReview) introspection.Answer {
	status := &review.Status
	meant := slices.DeleteFunc(slices.Clone(k.audience), func(name string) bool { return !slices.Contains(status.Audiences, name) })
	if !status.Authenticated || len(meant) == 0 {
		return introspection.Answer{}
	}
	claims := map[string]any{"sub": status.User.Name, "aud": meant}
	if account, ok := strings.CutPrefix(status.User.Name, "system:serviceaccount:"); ok {
		namespace, name, _ := strings.Cut(account, ":")
		claims["kubernetes.io"] = map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": name, "uid": status.User.UID}}
	}
	for _, credential := range status.User.Extra["authentication.kubernetes.io/credential-id"] {
		if id, ok := strings.CutPrefix(credential, "JTI="); ok {
			claims["jti"] = id
		}
	}
	return introspection.Answer{Active: true, Claims: claims}
}
