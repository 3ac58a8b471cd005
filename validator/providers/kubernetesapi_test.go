package providers_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// apiServer plays the part of a Kubernetes API server that concerns service
// account tokens, after its documentation: no cluster is behind it. It gives its
// key set to whoever shows the token that is good at the time, and reviews tokens.
type apiServer struct {
	*httptest.Server
	jwks []byte

	mu      sync.Mutex
	good    string   // token
	forbids bool     // to its account
	seen    []string // "METHOD path Authorization" of each request
	review  http.HandlerFunc
	reviews []string // bodies
}

func newAPIServer(t *testing.T, jwks []byte) *apiServer {
	t.Helper()
	s := &apiServer{jwks: jwks, good: "pod.token.1"}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements [http.Handler].
func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.good:
		w.WriteHeader(http.StatusUnauthorized)
	case s.forbids:
		w.WriteHeader(http.StatusForbidden)
	case r.URL.Path == "/openid/v1/jwks":
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(s.jwks)
	case r.URL.Path == "/apis/authentication.k8s.io/v1/tokenreviews" && r.Method == http.MethodPost && s.review != nil:
		body, _ := io.ReadAll(r.Body)
		s.reviews = append(s.reviews, string(body))
		s.review(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *apiServer) replace(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.good = token
}

func (s *apiServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// pod is what kubelet mounts into one: the API server's CA, and a token.
func (s *apiServer) pod(t *testing.T) providers.KubernetesAPI {
	t.Helper()
	dir := t.TempDir()
	api := providers.KubernetesAPI{URL: s.URL, TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt")}
	write(t, api.TokenFile, "pod.token.1")
	write(t, api.CAFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	return api
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// verifyInCluster is what an API that just started says of the documented token,
// with keys from such a server.
func verifyInCluster(t *testing.T, keys *jwks.Config) error {
	t.Helper()
	h, token := fixture(t, "Kubernetes")
	iss := presets["Kubernetes"]()
	iss.Keys = keys
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}, Now: func() time.Time { return h.Clock }})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	_, err = v.Verify(t.Context(), raw(t, issuertest.NewInMemory(t), token))
	return err
}

// anotherCA is a certificate that no server has.
func anotherCA(t *testing.T) string {
	t.Helper()
	key := testdata.PrivateKey("p256-a")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func kubernetesKeys(t *testing.T) []byte {
	h, _ := fixture(t, "Kubernetes")
	return h.JWKS
}

// In a cluster the keys are behind the API server, which asks for the pod's own
// token. kubelet replaces its file while the API runs.
func TestKubernetesKeysInCluster(t *testing.T) {
	server := newAPIServer(t, kubernetesKeys(t))
	api := server.pod(t)
	if err := verifyInCluster(t, api.Keys()); err != nil {
		t.Fatal(err)
	}
	server.replace("pod.token.2")
	if err := verifyInCluster(t, api.Keys()); !errors.Is(err, validator.ErrUnavailable) {
		t.Errorf("with the token of before: %v", err)
	}
	keys := api.Keys()
	write(t, api.TokenFile, "pod.token.2\n")
	if err := verifyInCluster(t, keys); err != nil {
		t.Errorf("with the new token: %v", err)
	}
	want := []string{"GET /openid/v1/jwks Bearer pod.token.1", "GET /openid/v1/jwks Bearer pod.token.1", "GET /openid/v1/jwks Bearer pod.token.2"}
	if diff := cmp.Diff(want, server.requests()); diff != "" {
		t.Error(diff)
	}
}

// What is wrong with the files is told with their fields, and without their names, which
// may be a misplaced token, or what is in them; the token goes to no other server.
func TestKubernetesKeysThatCannotBeHad(t *testing.T) {
	const secret = "pod.token.1"
	for name, tt := range map[string]struct {
		change func(*testing.T, *providers.KubernetesAPI, *jwks.Config)
		says   string
	}{
		"no token": {func(t *testing.T, a *providers.KubernetesAPI, _ *jwks.Config) {
			if err := os.Remove(a.TokenFile); err != nil {
				t.Fatal(err)
			}
		}, "KubernetesAPI.TokenFile: no such file or directory: no token is mounted there (automountServiceAccountToken); outside a pod, set KubernetesAPI.TokenFile"},
		"no file of certificates": {func(t *testing.T, a *providers.KubernetesAPI, _ *jwks.Config) {
			if err := os.Remove(a.CAFile); err != nil {
				t.Fatal(err)
			}
		}, "no certificates are mounted there; outside a pod, set KubernetesAPI.CAFile"},
		"the token for its file": {func(_ *testing.T, a *providers.KubernetesAPI, _ *jwks.Config) { a.TokenFile = secret },
			"KubernetesAPI.TokenFile: no such file"},
		"an empty token": {func(t *testing.T, a *providers.KubernetesAPI, _ *jwks.Config) { write(t, a.TokenFile, "\n") }, "KubernetesAPI.TokenFile holds no token"},
		"a token of two lines": {func(t *testing.T, a *providers.KubernetesAPI, _ *jwks.Config) {
			write(t, a.TokenFile, secret+"\r\nX-Remote-User: admin")
		}, "KubernetesAPI.TokenFile holds no token"},
		"a long token": {func(t *testing.T, a *providers.KubernetesAPI, _ *jwks.Config) {
			write(t, a.TokenFile, strings.Repeat(secret, 10_000))
		}, "KubernetesAPI.TokenFile is too long"},
		"no certificates": {func(t *testing.T, a *providers.KubernetesAPI, _ *jwks.Config) { write(t, a.CAFile, secret) }, "KubernetesAPI.CAFile holds no certificate in PEM"},
		"another CA": {func(t *testing.T, a *providers.KubernetesAPI, _ *jwks.Config) {
			write(t, a.CAFile, anotherCA(t))
		}, "certificate"},
		"another server": {func(_ *testing.T, _ *providers.KubernetesAPI, keys *jwks.Config) {
			keys.URL = "https://keys.example.com/openid/v1/jwks"
		}, "KubernetesAPI.TokenFile is for https://127.0.0.1"},
		"a server whose address begins alike": {func(_ *testing.T, a *providers.KubernetesAPI, keys *jwks.Config) {
			keys.URL = a.URL + "0/openid/v1/jwks"
		}, "KubernetesAPI.TokenFile is for https://127.0.0.1"},
		"without TLS": {func(_ *testing.T, _ *providers.KubernetesAPI, keys *jwks.Config) {
			keys.URL = "http://127.0.0.1:1/openid/v1/jwks"
		}, "KubernetesAPI.TokenFile is for https://127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newAPIServer(t, kubernetesKeys(t))
			api := server.pod(t)
			keys := api.Keys()
			if tt.change(t, &api, keys); name == "the token for its file" {
				keys = api.Keys()
			}
			err := verifyInCluster(t, keys)
			if !errors.Is(err, validator.ErrUnavailable) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v, wanted it to say %s", err, tt.says)
			}
			if asked := server.requests(); asked != nil {
				t.Errorf("the server was asked: %q", asked)
			}
		})
	}
}

// A refusal of the API server is told with what mends it.
func TestKubernetesKeysThatAreRefused(t *testing.T) {
	server := newAPIServer(t, kubernetesKeys(t))
	api := server.pod(t)
	server.replace("pod.token.2")
	says := "status 401 from the API server: it does not know the token of KubernetesAPI.TokenFile"
	if err := verifyInCluster(t, api.Keys()); !errors.Is(err, validator.ErrUnavailable) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, wanted it to say %s", err, says)
	}
	server.mu.Lock()
	server.good, server.forbids = "pod.token.1", true
	server.mu.Unlock()
	says = "status 403 from the API server: the account of KubernetesAPI.TokenFile needs the cluster role system:service-account-issuer-discovery"
	if err := verifyInCluster(t, api.Keys()); !errors.Is(err, validator.ErrUnavailable) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, wanted it to say %s", err, says)
	}
}

// A plain address is refused before the token's file is opened.
func TestKubernetesTokenIsSentOverTLSAlone(t *testing.T) {
	asked := false
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer plain.Close()
	api := newAPIServer(t, nil).pod(t)
	api.URL = plain.URL // loopback, where http is allowed
	if err := verifyInCluster(t, api.Keys()); !errors.Is(err, validator.ErrUnavailable) || asked {
		t.Errorf("got %v, and the server was asked: %t", err, asked)
	}
}

func TestWhereKubernetesKeysAre(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://kubernetes.default.svc.cluster.local":  "https://kubernetes.default.svc/openid/v1/jwks",
		"https://kubernetes.default.svc":                "https://kubernetes.default.svc/openid/v1/jwks",
		"https://kubernetes.default.svc.prod.internal/": "https://kubernetes.default.svc/openid/v1/jwks",
		"https://oidc.eks.eu-west-1.amazonaws.com/id/0": "",
		"https://kubernetes.example.com":                "",
	} {
		got := ""
		if iss := providers.Kubernetes(issuer, orders); iss.Keys != nil {
			got = iss.Keys.URL
		}
		if got != want {
			t.Errorf("%s: keys at %q, wanted %q", issuer, got, want)
		}
	}
	if got := (providers.KubernetesAPI{URL: "https://10.0.0.1:6443/"}).Keys().URL; got != "https://10.0.0.1:6443/openid/v1/jwks" {
		t.Errorf("keys at %q", got)
	}
}

// Keys can be given as "kubectl get --raw /openid/v1/jwks" prints them; then
// nobody is asked.
func TestKubernetesKeysInline(t *testing.T) {
	if err := verifyInCluster(t, &jwks.Config{Set: kubernetesKeys(t)}); err != nil {
		t.Error(err)
	}
	if err := verifyInCluster(t, &jwks.Config{Set: []byte(`{"keys":[` + string(testdata.PublicKey("rsa-2048-b")) + `]}`)}); !errors.Is(err, validator.ErrInvalidToken) {
		t.Errorf("with another cluster's keys: %v", err)
	}
}
