//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func (k *keycloak) endpoint(name string) string {
	return k.issuer() + "/protocol/openid-connect/" + name
}

// token gets a token for a client's service account.
func (k *keycloak) token(t *testing.T, client, scope string) string {
	t.Helper()
	return clientCredentials(t, k.endpoint("token"), client, browser, grant{Scope: scope})
}

// login is what a client gets when a user gives it the password.
type login struct{ access, id, refresh string }

// login signs a user in at the client "web".
func (k *keycloak) login(t *testing.T, user string) login {
	t.Helper()
	cfg := oauth2.Config{
		ClientID: "web", ClientSecret: secret, Scopes: []string{"openid", "orders:read"},
		Endpoint: oauth2.Endpoint{TokenURL: k.endpoint("token"), AuthStyle: oauth2.AuthStyleInHeader},
	}
	token, err := cfg.PasswordCredentialsToken(context.WithValue(t.Context(), oauth2.HTTPClient, browser), user, secret)
	if err != nil {
		t.Fatalf("%s: %v", user, err)
	}
	id, _ := token.Extra("id_token").(string)
	return login{token.AccessToken, id, token.RefreshToken}
}

// revoke revokes a token of a client's (RFC 7009).
func (k *keycloak) revoke(t *testing.T, client, token string) {
	t.Helper()
	revokeAt(t, k.endpoint("revoke"), client, token)
}

// admin sends a request to the admin API of the realm, and returns the id of what
// it made, if anything. in and out are JSON, or nil.
func (k *keycloak) admin(t *testing.T, method, place string, in, out any) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), keycloakReply) // not the test's, which ends before its Cleanup
	defer cancel()
	ctx = context.WithValue(ctx, oauth2.HTTPClient, browser)
	cfg := clientcredentials.Config{
		ClientID: "admin", ClientSecret: secret,
		TokenURL: k.base + "/realms/master/protocol/openid-connect/token",
	}
	var body bytes.Buffer
	if in != nil {
		if err := json.MarshalWrite(&body, in); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, k.base+"/admin/realms/"+url.PathEscape(realm)+place, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := cfg.Client(ctx).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		t.Fatalf("admin: %s %s: %s", method, place, res.Status)
	}
	if out != nil {
		if err := json.UnmarshalRead(res.Body, out); err != nil {
			t.Fatal(err)
		}
	}
	return path.Base(res.Header.Get("Location"))
}

// members is a JSON object of the admin API.
type members map[string]any

// setRealm changes members of the realm. What it returns changes them to back, and
// does so when the test ends if it was not called before.
func (k *keycloak) setRealm(t *testing.T, now, back members) (restore func()) {
	t.Helper()
	return k.set(t, "", now, back)
}

// setClient is setRealm for a client.
func (k *keycloak) setClient(t *testing.T, client string, now, back members) (restore func()) {
	t.Helper()
	var found []struct {
		ID string `json:"id"`
	}
	k.admin(t, http.MethodGet, "/clients?clientId="+url.QueryEscape(client), nil, &found)
	if len(found) != 1 {
		t.Fatalf("%d clients are called %s", len(found), client)
	}
	return k.set(t, "/clients/"+found[0].ID, now, back)
}

func (k *keycloak) set(t *testing.T, place string, now, back members) (restore func()) {
	t.Helper()
	k.admin(t, http.MethodPut, place, now, nil)
	restore = sync.OnceFunc(func() { k.admin(t, http.MethodPut, place, back, nil) })
	t.Cleanup(restore)
	return restore
}

// addKey gives the realm an RS256 key that signs from now on, and returns its
// component's id.
func (k *keycloak) addKey(t *testing.T, name string, priority int) string {
	t.Helper()
	return k.admin(t, http.MethodPost, "/components", members{
		"name": name, "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
		"config": map[string][]string{"priority": {strconv.Itoa(priority)}, "algorithm": {"RS256"}},
	}, nil)
}

// dropKey takes a key away.
func (k *keycloak) dropKey(t *testing.T, id string) {
	t.Helper()
	k.admin(t, http.MethodDelete, "/components/"+id, nil, nil)
}

// keyNamed finds the component of a key by its name.
func (k *keycloak) keyNamed(t *testing.T, name string) string {
	t.Helper()
	var found []struct {
		ID string `json:"id"`
	}
	k.admin(t, http.MethodGet, "/components?type=org.keycloak.keys.KeyProvider&name="+url.QueryEscape(name), nil, &found)
	if len(found) != 1 {
		t.Fatalf("%d keys are called %s", len(found), name)
	}
	return found[0].ID
}
