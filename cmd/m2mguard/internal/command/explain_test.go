package command_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// put writes a file and returns its name.
func put(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// keysOf is an issuer's key set.
func keysOf(t *testing.T, iss *issuertest.Issuer) string {
	t.Helper()
	resp, err := iss.Client().Get(iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	set, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(set)
}

func TestExplain(t *testing.T) {
	iss, stranger := issuertest.New(t), issuertest.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := keysOf(t, iss)
	config := write(t, "issuers: [{url: '%s', audience: [%s]}]\ndpop: {}\n", iss.URL(), issuertest.Audience)
	two := write(t, "issuers: [{url: '%s', audience: [x]}, {url: '%s', audience: [x]}]\n", iss.URL(), stranger.URL())
	narrow := write(t, "issuers: [{url: '%s', audience: [%s], keys: {algorithms: [ES256]}}]\n", iss.URL(), issuertest.Audience)
	good := iss.Token(issuertest.Claims{Scope: "orders:read"})
	const target = "https://api.example.com/orders"
	bound := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	proof := issuertest.Proof(key, issuertest.ProofClaims{Method: "POST", URL: target, Token: bound})
	cert := issuertest.ClientCertificate("reports")
	mtls := iss.Token(issuertest.Claims{CertificateThumbprint: issuertest.CertificateThumbprint(cert.Leaf)})
	shown := put(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})))
	keys := put(t, set)
	later := time.Now().Add(2 * time.Hour).Format(time.RFC3339)
	for name, test := range map[string]struct {
		in   string
		args []string
		code int
		want []string
	}{
		"good":                 {good, nil, 0, []string{"accepted, by issuer " + iss.URL(), "passed"}},
		"as it was copied":     {"Authorization: Bearer " + good + "\r\n", nil, 0, []string{"accepted"}},
		"with its scope":       {good, []string{"--scope", "orders:read"}, 0, []string{"accepted"}},
		"without a scope":      {good, []string{"--scope", "orders:write"}, 1, []string{"failed", "orders:write"}},
		"another audience":     {good, []string{"--audience", "https://invoices.example.com"}, 1, []string{"failed", "wanted ", "https://invoices.example.com"}},
		"expired and foreign":  {iss.Token(issuertest.Claims{Audience: []string{"x"}, Expiry: time.Now().Add(-time.Hour)}), nil, 1, []string{"exp ", "aud ", "→ "}},
		"tampered":             {iss.Bad(issuertest.Tampered, issuertest.Claims{}), nil, 1, []string{"nothing proves what the token says"}},
		"a stranger's":         {stranger.Token(issuertest.Claims{}), nil, 1, []string{"failed"}},
		"nothing":              {" \n", nil, 2, []string{"the token is empty"}},
		"an empty file":        {good, []string{put(t, "")}, 2, []string{"the token is empty"}},
		"at which check":       {iss.Token(issuertest.Claims{Expiry: time.Now().Add(-time.Hour)}), nil, 1, []string{"refused at exp, by issuer " + iss.URL()}},
		"why not decided":      {good, []string{"--offline"}, 1, []string{"not decided: key: no keys of the issuer are held, and --offline is set, so that nobody is asked"}},
		"two hours later":      {good, []string{"--at", later}, 1, []string{"failed", "exp"}},
		"keys from a file":     {good, []string{"--offline", "--keys", keys}, 0, []string{"accepted"}},
		"no keys":              {good, []string{"--offline"}, 1, []string{"not reached"}},
		"with its proof":       {bound, []string{"--scheme", "DPoP", "--proof", put(t, proof+"\n"), "-X", "POST", "--url", target}, 0, []string{"accepted"}},
		"without its proof":    {bound, []string{"--scheme", "DPoP", "-X", "POST", "--url", target}, 1, []string{"failed"}},
		"with a certificate":   {mtls, []string{"--certificate", shown}, 0, []string{"accepted"}},
		"without one":          {mtls, nil, 1, []string{"failed"}},
		"keys of nobody":       {good, []string{"-c", two, "--keys", keys}, 2, []string{"--issuer"}},
		"keys of one of two":   {good, []string{"-c", two, "--keys", keys, "--issuer", iss.URL(), "--offline"}, 1, []string{"aud", "failed"}},
		"keys' own algorithms": {good, []string{"-c", narrow, "--keys", keys, "--offline"}, 1, []string{"failed"}},
		"an issuer for none":   {good, []string{"--issuer", iss.URL()}, 2, []string{"--keys"}},
		"no time":              {good, []string{"--at", "yesterday"}, 2, []string{"RFC 3339"}},
		"no scope":             {good, []string{"--scope", "a b"}, 2, []string{"--scope"}},
		"no such file":         {"", []string{"/nowhere/token"}, 2, []string{"no such file"}},
		"no certificate":       {good, []string{"--certificate", keys}, 2, []string{"no certificate in PEM"}},
		"no keys in a file":    {good, []string{"--keys", shown + "x"}, 2, []string{"--keys"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"explain", "-c", config}, test.args...)
			r := feed(t, test.in, nil, args...)
			for _, want := range test.want {
				if r.code != test.code || !strings.Contains(r.out+r.err, want) {
					t.Errorf("code %d, wanted %d and %q:\n%s%s", r.code, test.code, want, r.out, r.err)
				}
			}
		})
	}
	before := iss.Requests(issuertest.JWKS) + iss.Requests(issuertest.Discovery)
	feed(t, good, nil, "explain", "-c", config, "--offline")
	if after := iss.Requests(issuertest.JWKS) + iss.Requests(issuertest.Discovery); after != before {
		t.Errorf("%d requests by --offline", after-before)
	}
	var e struct {
		Accepted bool
		Steps    []struct{ Outcome, Name string }
	}
	r := feed(t, "", nil, "explain", "-c", config, "--json", put(t, good))
	if err := json.Unmarshal([]byte(r.out), &e); err != nil || !e.Accepted || len(e.Steps) < 5 || r.code != 0 {
		t.Errorf("%v: %+v", err, r)
	}
}
