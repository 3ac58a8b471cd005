package quickstart

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Framework is what an API can be written on.
type Framework struct {
	Name string
	// Routes is the API over a validator. The configuration says what clients call
	// it by.
	Routes func(*validator.Validator, *httpauth.Config) http.Handler
}

// kind is one of the two kinds of tokens, and the client that gets it.
type kind struct {
	name     string
	clientID string
	opaque   bool
}

var (
	jwt    = kind{name: "JWT", clientID: "jwt-client"}
	opaque = kind{name: "opaque", clientID: "opaque-client", opaque: true}
	kinds  = []kind{jwt, opaque}
)

// clientSecret is every client's: this issuer's tokens open nothing.
const clientSecret = "secret"

// Ports of -serve, on loopback: the issuer, the APIs in their order, the operator.
const (
	issuerPort   = 8400
	firstPort    = 8401
	operatorPort = 8404
)

// demo is everything that runs.
type demo struct {
	issuer   *issuertest.Issuer // whom the APIs trust
	stranger *issuertest.Issuer // another issuer, whom they do not know
	kill     *killSwitch
	apis     []*api
	client   *http.Client // of the machine that calls the APIs
	log      *slog.Logger
}

// start starts the issuers and the APIs, on the ports of -serve or on free ones. The
// caller closes the demo.
func start(fixed bool, log *slog.Logger, frameworks []Framework) (_ *demo, err error) {
	d := &demo{kill: newKillSwitch(), client: &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}, log: log}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.issuer, err = startIssuer(loopback(fixed, issuerPort)); err != nil {
		return nil, err
	}
	if d.stranger, err = startIssuer(loopback(false, 0)); err != nil {
		return nil, err
	}
	for i, f := range frameworks {
		a, err := d.startAPI(f, loopback(fixed, firstPort+i))
		if err != nil {
			return nil, err
		}
		d.apis = append(d.apis, a)
	}
	return d, nil
}

// loopback is the address of a port, or of any that is free.
func loopback(fixed bool, port int) string {
	if !fixed {
		port = 0
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
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
			ID: k.clientID, Secret: clientSecret, Opaque: k.opaque,
			Scopes:   []string{"orders:read"},
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
	d.kill.close()
	for _, issuer := range []*issuertest.Issuer{d.stranger, d.issuer} {
		if issuer != nil {
			issuer.Close()
		}
	}
}

// api is a running instance of the API.
type api struct {
	name      string
	url       string
	validator *validator.Validator
	server    *http.Server
	ended     chan struct{} // closed when the server has ended
	leave     func()        // the kill switch
}

// startAPI starts an instance that trusts the issuer and hears of the kill switch. The
// caller closes it.
func (d *demo) startAPI(f Framework, addr string) (*api, error) {
	killed, err := d.kill.join()
	if err != nil {
		return nil, err
	}
	leave := func() { d.kill.leave(killed) }
	v, err := newValidator(d.issuer.URL(), killed, validator.LogEvents(d.log.With("api", f.Name)))
	if err != nil {
		leave()
		return nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		v.Close()
		leave()
		return nil, err
	}
	url := "http://" + listener.Addr().String()
	a := &api{
		name:      f.Name,
		url:       url,
		validator: v,
		server: &http.Server{
			Handler:           f.Routes(v, &httpauth.Config{PublicURL: []string{url}}),
			ReadHeaderTimeout: 5 * time.Second,
		},
		ended: make(chan struct{}),
		leave: leave,
	}
	go func() {
		defer close(a.ended)
		if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("the API ended", "api", f.Name, "error", err)
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
	a.leave()
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
