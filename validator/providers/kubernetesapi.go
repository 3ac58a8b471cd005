package providers

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/m2mguard/m2mguard/jwks"
)

// KubernetesAPI is the API server of a cluster, and how to be let in there. The
// zero value is what a pod finds in its own cluster.
type KubernetesAPI struct {
	_ [0]func()

	// URL is the server's address. It must be https, because a token is sent.
	// Default: "https://kubernetes.default.svc".
	URL string

	// TokenFile holds the token to authenticate with. It is read at each request,
	// because kubelet replaces it. Default:
	// "/var/run/secrets/kubernetes.io/serviceaccount/token".
	TokenFile string

	// CAFile holds the certificates that the server's must come from, in PEM. It is
	// read at each request. Default:
	// "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt".
	CAFile string
}

const (
	podFiles     = "/var/run/secrets/kubernetes.io/serviceaccount/"
	maxTokenFile = 64 << 10
	maxCAFile    = 1 << 20
)

// Keys is the key set at /openid/v1/jwks, for Issuer.Keys. Each fetch is made on a
// connection of its own, with the token and the certificates that the files hold
// then; a file that cannot be read is a failed fetch, and its name is told. The
// account of the token needs the cluster role
// system:service-account-issuer-discovery, which every service account has unless
// the cluster's administrator took it away.
//
// Source: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery.
func (a KubernetesAPI) Keys() *jwks.Config {
	client := a.client()
	client.Transport = &discovery{client.Transport}
	return &jwks.Config{URL: a.server() + "/openid/v1/jwks", HTTPClient: client}
}

// discovery says what a refusal of the key set means.
type discovery struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (d *discovery) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := d.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	why := ""
	switch res.StatusCode {
	case http.StatusUnauthorized:
		why = "it does not know the token of KubernetesAPI.TokenFile"
	case http.StatusForbidden:
		why = "the account of KubernetesAPI.TokenFile needs the cluster role system:service-account-issuer-discovery"
	default:
		return res, nil
	}
	res.Body.Close()
	return nil, fmt.Errorf("status %d from the API server: %s", res.StatusCode, why)
}

func (a KubernetesAPI) server() string {
	return strings.TrimSuffix(cmp.Or(a.URL, "https://kubernetes.default.svc"), "/")
}

func (a KubernetesAPI) client() *http.Client {
	return &http.Client{
		Transport: &kubernetesTransport{
			server: a.server(),
			token:  podFile{cmp.Or(a.TokenFile, podFiles+"token"), "KubernetesAPI.TokenFile", a.TokenFile == ""},
			ca:     podFile{cmp.Or(a.CAFile, podFiles+"ca.crt"), "KubernetesAPI.CAFile", a.CAFile == ""},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// kubernetesTransport sends a token along, to one server and no other.
type kubernetesTransport struct {
	server    string
	token, ca podFile
}

// podFile is a file that pods have. Where another one is named, no error says its name:
// somebody may have written the token in its place.
type podFile struct {
	path, field string
	byDefault   bool
}

func (f podFile) String() string {
	if f.byDefault {
		return f.path
	}
	return f.field
}

var _ http.RoundTripper = (*kubernetesTransport)(nil)

// RoundTrip implements [http.RoundTripper].
func (k *kubernetesTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if !strings.HasPrefix(k.server, "https://") || !strings.HasPrefix(req.URL.String(), k.server+"/") {
		return nil, fmt.Errorf("the token of %s is for %s alone", k.token, k.server)
	}
	token, err := k.token.read(maxTokenFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no token is mounted there (automountServiceAccountToken); outside a pod, set KubernetesAPI.TokenFile", err)
	}
	if err != nil {
		return nil, err
	}
	token = bytes.TrimSpace(token)
	if len(token) == 0 || bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("%s holds no token", k.token)
	}
	ca, err := k.ca.read(maxCAFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no certificates are mounted there; outside a pod, set KubernetesAPI.CAFile", err)
	}
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", k.ca)
	}
	once := &http.Transport{ // so that nothing is left to close
		TLSClientConfig:        &tls.Config{RootCAs: roots},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+string(token))
	return once.RoundTrip(req)
}

// read reads at most so many bytes of it.
func (f podFile) read(most int64) ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, f.fault(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	switch {
	case err != nil:
		return nil, f.fault(err)
	case int64(len(data)) > most:
		return nil, fmt.Errorf("%s is too long", f)
	}
	return data, nil
}

// fault is err with the file as it is shown.
func (f podFile) fault(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return fmt.Errorf("%s: %w", f, err)
}
