package providers_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// reviewed is a TokenReview's status as the API server writes it about the documented
// token, with changes; null removes a member of status.user or of status.
func reviewed(changes, user map[string]any) http.HandlerFunc {
	who := map[string]any{
		"username": "system:serviceaccount:shop:reports",
		"uid":      "e6a8680e-d103-4cce-80ea-03acbbeacf7d",
		"groups":   []string{"system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"},
		"extra": map[string]any{
			"authentication.kubernetes.io/credential-id": []string{"JTI=e51f1fbc-4733-4b85-a59f-ba80c0523874"},
			"authentication.kubernetes.io/pod-name":      []string{"reports-5f7d9c6b8d-x2x7k"},
		},
	}
	for name, value := range user {
		who[name] = value
	}
	status := map[string]any{"authenticated": true, "user": who, "audiences": []string{orders}}
	for name, value := range changes {
		if value == nil {
			delete(status, name)
		} else {
			status[name] = value
		}
	}
	body := encode(map[string]any{
		"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": map[string]any{"creationTimestamp": nil},
		"spec": map[string]any{"token": "repeated", "audiences": []string{orders}}, "status": status,
	})
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		w.Write(body)
	}
}

func answering(status int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if header != "" {
			w.Header().Set("Retry-After", header)
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// deleted is what the API server says of a token whose pod is gone.
var deleted = reviewed(map[string]any{"authenticated": false, "user": map[string]any{}, "audiences": nil, "error": "[invalid bearer token, pod has been deleted]"}, nil)

// The signature of a deleted pod's token is still good. RequireFresh asks the API
// server, which knows better.
func TestKubernetesTokenReview(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	for name, tt := range map[string]struct {
		review http.HandlerFunc
		want   string
	}{
		"a good token":                              {reviewed(nil, nil), "ok"},
		"a cluster that names no token id":          {reviewed(nil, map[string]any{"extra": nil}), "ok"},
		"a deleted pod":                             {deleted, "active"},
		"a refusal that names account and audience": {reviewed(map[string]any{"authenticated": false}, nil), "active"},
		"a status of nothing":                       {reviewed(map[string]any{"authenticated": nil, "user": nil, "audiences": nil}, nil), "active"},
		"a token for the API server":                {reviewed(map[string]any{"audiences": []string{"https://kubernetes.default.svc"}}, nil), "active"},
		"a server that knows nothing of audiences":  {reviewed(map[string]any{"audiences": nil}, nil), "active"},
		"an answer about another account":           {reviewed(nil, map[string]any{"username": "system:serviceaccount:shop:default"}), "active"},
		"an answer about another token":             {reviewed(nil, map[string]any{"extra": map[string]any{"authentication.kubernetes.io/credential-id": []string{"JTI=another"}}}), "active"},
		"a server that refuses the pod's own token": {answering(http.StatusUnauthorized, "", ""), "unavailable"},
		"a role that is missing":                    {answering(http.StatusForbidden, "", `{"kind":"Status"}`), "unavailable"},
		"too many requests":                         {answering(http.StatusTooManyRequests, "1", ""), "unavailable"},
		"a server in trouble":                       {answering(http.StatusInternalServerError, "", ""), "unavailable"},
		"an answer that is no review":               {answering(http.StatusCreated, "", `{"kind":"Status","status":{"authenticated":true,"audiences":["`+orders+`"]}}`), "unavailable"},
		"an answer that two readers may take differently": {answering(http.StatusCreated, "",
			`{"kind":"TokenReview","status":{"authenticated":false,"authenticated":true,"audiences":["`+orders+`"],"user":{"username":"system:serviceaccount:shop:reports"}}}`), "unavailable"},
		"an answer without end": {answering(http.StatusCreated, "", `{"kind":"TokenReview","x":"`+strings.Repeat("x", 1<<20)+`"}`), "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			h, token := fixture(t, "Kubernetes")
			server := newAPIServer(t, h.JWKS)
			server.review = tt.review
			api := server.pod(t)
			iss := presets["Kubernetes"]()
			iss.Keys, iss.Introspection = api.Keys(), api.Review(iss.Audience...)
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}, Now: func() time.Time { return h.Clock }})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			jwt := raw(t, fake, token)
			if _, err := v.Verify(t.Context(), jwt); err != nil {
				t.Fatalf("by its signature: %v", err)
			}
			_, err = v.VerifyFresh(t.Context(), jwt, 0)
			switch {
			case tt.want == "unavailable":
				if !errors.Is(err, validator.ErrUnavailable) {
					t.Errorf("got %v, wanted ErrUnavailable", err)
				}
			case outcome(err) != tt.want:
				t.Errorf("got %v, wanted %s", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), jwt) || strings.Contains(err.Error(), "pod.token")) {
				t.Errorf("a token in %v", err)
			}
			if len(server.reviews) == 0 {
				t.Error("nobody was asked")
			}
		})
	}
}

// What is sent is a review of the token, for this API's name, on the pod's own token.
func TestKubernetesTokenReviewRequest(t *testing.T) {
	h, token := fixture(t, "Kubernetes")
	server := newAPIServer(t, nil)
	server.review = reviewed(nil, nil)
	iss := presets["Kubernetes"]()
	iss.Introspection = server.pod(t).Review(orders) // and no Keys: each token is asked about
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}, Now: func() time.Time { return h.Clock }})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	jwt := raw(t, issuertest.NewInMemory(t), token)
	got, err := v.Verify(t.Context(), jwt)
	if err != nil {
		t.Fatal(err)
	}
	if got.Tenant() != "shop" || !got.Scopes().Contains("system:serviceaccount:shop:reports") {
		t.Errorf("tenant %q, scopes %v", got.Tenant(), got.Scopes())
	}
	var sent map[string]any
	if err := json.Unmarshal([]byte(server.reviews[0]), &sent); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": map[string]any{"token": jwt, "audiences": []any{orders}}}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"POST /apis/authentication.k8s.io/v1/tokenreviews Bearer pod.token.1"}, server.requests()); diff != "" {
		t.Error(diff)
	}
}

// A user of the cluster whom the API server authenticates is no service account.
func TestKubernetesReviewsUsers(t *testing.T) {
	h, token := fixture(t, "Kubernetes")
	server := newAPIServer(t, nil)
	server.review = reviewed(nil, map[string]any{"username": "kubernetes-admin", "extra": nil})
	iss := providers.Kubernetes(h.Issuer, orders)
	iss.Introspection = server.pod(t).Review(orders)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}, Now: func() time.Time { return h.Clock }})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.Verify(t.Context(), raw(t, issuertest.NewInMemory(t), token)); outcome(err) != "app" {
		t.Errorf("got %v, wanted app", err)
	}
}

// What is no JWT is no service account's token, and is shown to nobody.
func TestKubernetesReviewsNoOpaqueToken(t *testing.T) {
	h, _ := fixture(t, "Kubernetes")
	server := newAPIServer(t, h.JWKS)
	server.review = reviewed(nil, nil)
	api := server.pod(t)
	iss := presets["Kubernetes"]()
	iss.Keys, iss.Introspection = &jwks.Config{Set: h.JWKS}, api.Review(orders)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.Verify(t.Context(), "abcdef.0123456789abcdef"); outcome(err) != "active" {
		t.Errorf("got %v, wanted active", err)
	}
	if asked := server.requests(); asked != nil {
		t.Errorf("the API server was asked: %q", asked)
	}
}

// A review that was asked to look for no audience would be the API server's own.
func TestKubernetesReviewNeedsAnAudience(t *testing.T) {
	for _, audience := range [][]string{nil, {""}} {
		h, token := fixture(t, "Kubernetes")
		server := newAPIServer(t, h.JWKS)
		server.review = reviewed(nil, nil)
		iss := presets["Kubernetes"]()
		iss.Introspection = server.pod(t).Review(audience...)
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}, Now: func() time.Time { return h.Clock }})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(t.Context(), raw(t, issuertest.NewInMemory(t), token))
		v.Close()
		if !errors.Is(err, validator.ErrUnavailable) || !strings.Contains(err.Error(), "no audience") || server.requests() != nil {
			t.Errorf("%q: got %v, and the server was asked %q", audience, err, server.requests())
		}
	}
}
