package migrate_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/gin-gonic/gin"

	"github.com/m2mguard/m2mguard/examples/migrate/fromginjwt"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestLogin: what gin-jwt's login hands out passes the guard of the API, and what its
// default secret would have signed does not.
func TestLogin(t *testing.T) {
	private, public := keyFiles(t)
	const issuer, audience = "https://orders.example.com/login", "https://orders.example.com"
	m, err := fromginjwt.Login(issuer, audience, private, public, func(*gin.Context) (any, error) { return "ann", nil })
	if err != nil {
		t.Fatal(err)
	}
	v, err := fromginjwt.TrustLogin(issuer, audience, public)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	r := gin.New()
	r.POST("/login", m.LoginHandler)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("POST", "/login", http.NoBody))
	_, token, _ := strings.Cut(w.Body.String(), `"token":"`)
	token, _, _ = strings.Cut(token, `"`)

	api := fromginjwt.After(v)
	if w := call(api, token); w.Code != http.StatusOK || w.Body.String() != "orders of ann" {
		t.Errorf("%d, %q", w.Code, w.Body)
	}
	if w := call(api, issuertest.New(t).Bad(issuertest.AlgHS256, issuertest.Claims{Issuer: issuer, Audience: []string{audience}, Scope: "orders:read"})); w.Code != http.StatusUnauthorized {
		t.Errorf("with a secret: %d, %q", w.Code, w.Body)
	}
}

func keyFiles(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("login.pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), write("login.pub", "PUBLIC KEY", der)
}

func auth0Keys(t *testing.T, iss *issuertest.Issuer) func(context.Context) (any, error) {
	t.Helper()
	at, err := url.Parse(iss.URL())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwks.NewCachingProvider(jwks.WithIssuerURL(at))
	if err != nil {
		t.Fatal(err)
	}
	return keys.KeyFunc
}
