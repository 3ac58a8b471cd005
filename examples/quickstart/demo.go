package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// The APIs' own credentials, with which they may ask the issuer about tokens.
const (
	apiID     = "orders-api"
	apiSecret = "orders-api-secret"
)

// kind is one of the two kinds of tokens: what its client is called at the
// issuer.
type kind struct {
	name         string
	clientID     string
	clientSecret string
	opaque       bool
}

var (
	jwt    = kind{name: "JWT", clientID: "jwt-client", clientSecret: "jwt-secret"}
	opaque = kind{name: "opaque", clientID: "opaque-client", clientSecret: "opaque-secret", opaque: true}
	kinds  = []kind{jwt, opaque}
)

// ports says where the servers listen. All of them are on loopback.
type ports struct{ issuer, netHTTP, echo, gin string }

var (
	anyPorts   = ports{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"}
	fixedPorts = ports{"127.0.0.1:8400", "127.0.0.1:8401", "127.0.0.1:8402", "127.0.0.1:8403"}
)

// demo is everything that runs.
type demo struct {
	issuer   *issuertest.Issuer // whom the APIs trust
	stranger *issuertest.Issuer // another issuer, whom they do not know
	apis     []*api
	client   *http.Client // of the machine that calls the APIs
}

// start starts the issuers and the APIs. The caller closes the demo.
func start(where ports, log *slog.Logger) (_ *demo, err error) {
	d := &demo{client: &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.issuer, err = startIssuer(where.issuer); err != nil {
		return nil, err
	}
	if d.stranger, err = startIssuer(anyPorts.issuer); err != nil {
		return nil, err
	}
	for _, a := range []struct {
		name, addr string
		routes     func(v *validator.Validator, url string) http.Handler
	}{
		{"net/http", where.netHTTP, netHTTP},
		{"Echo", where.echo, onEcho},
		{"Gin", where.gin, onGin},
	} {
		started, err := startAPI(a.name, a.addr, d.issuer.URL(), log, a.routes)
		if err != nil {
			return nil, err
		}
		d.apis = append(d.apis, started)
	}
	return d, nil
}

// startIssuer starts a fake issuer that knows the clients of both kinds, and the
// APIs.
func startIssuer(addr string) (*issuertest.Issuer, error) {
	issuer, err := issuertest.StartAt(addr)
	if err != nil {
		return nil, err
	}
	issuer.Register(issuertest.ClientRegistration{ID: apiID, Secret: apiSecret})
	for _, k := range kinds {
		issuer.Register(issuertest.ClientRegistration{
			ID: k.clientID, Secret: k.clientSecret, Opaque: k.opaque,
			Scopes:   []string{"orders:read", "orders:write"},
			Audience: []string{audience},
		})
	}
	return issuer, nil
}

// close ends everything, in the order in which one thing needs another.
func (d *demo) close() {
	d.client.CloseIdleConnections()
	for _, a := range d.apis {
		a.close()
	}
	for _, issuer := range []*issuertest.Issuer{d.stranger, d.issuer} {
		if issuer != nil {
			issuer.Close()
		}
	}
}

// token asks an issuer for a token with the scope orders:read, as a program on
// another machine would.
func (d *demo) token(ctx context.Context, k kind, issuer *issuertest.Issuer, audience string) (string, error) {
	return tokenBy(ctx, d.client, k, issuer, audience)
}

// tokenBy asks by way of another client than the demo's, such as one that proves
// possession of a key.
func tokenBy(ctx context.Context, by *http.Client, k kind, issuer *issuertest.Issuer, audience string) (string, error) {
	client := clientcredentials.Config{
		ClientID:       k.clientID,
		ClientSecret:   k.clientSecret,
		TokenURL:       issuer.TokenURL(),
		Scopes:         []string{"orders:read"},
		EndpointParams: url.Values{"audience": {audience}},
	}
	token, err := client.Token(context.WithValue(ctx, oauth2.HTTPClient, by))
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

// api is a running API.
type api struct {
	name      string
	url       string
	validator *validator.Validator
	server    *http.Server
	ended     chan struct{} // closed when the server has ended
}

func startAPI(name, addr, issuer string, log *slog.Logger, routes func(*validator.Validator, string) http.Handler) (*api, error) {
	v, err := newValidator(issuer, log.With("api", name))
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		v.Close()
		return nil, err
	}
	url := "http://" + listener.Addr().String()
	a := &api{
		name:      name,
		url:       url,
		validator: v,
		server:    &http.Server{Handler: routes(v, url), ReadHeaderTimeout: 5 * time.Second},
		ended:     make(chan struct{}),
	}
	go func() {
		defer close(a.ended)
		if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the API ended", "api", name, "error", err)
		}
	}()
	return a, nil
}

// close ends the API. Its clients are in this process and have ended before, so
// there is no request to wait for.
func (a *api) close() {
	_ = a.server.Close() // closes connections, whatever they say
	<-a.ended
	a.validator.Close()
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting: %w", context.Cause(ctx))
	}
}
