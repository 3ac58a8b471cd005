// An API on chi, or any router whose middleware is a func(http.Handler) http.Handler. A
// client needs an access token with the scope orders:read.
//
//	ISSUER=https://id.example.com AUDIENCE=https://orders.example.com go run ./examples/chi
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

func main() {
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{
			URL:      os.Getenv("ISSUER"),
			Audience: []string{os.Getenv("AUDIENCE")},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", ":8080")
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", listener.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = serve(ctx, newServer(routes(v)), listener, 15*time.Second)
	v.Close()
	if err != nil {
		log.Fatal(err)
	}
}

// newServer bounds how much of a client's request is read, and for how long.
func newServer(api http.Handler) *http.Server {
	return &http.Server{
		Handler:           http.MaxBytesHandler(api, 1<<20),
		MaxHeaderBytes:    64 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second, // more than inTime gives a request
		IdleTimeout:       time.Minute,
	}
}

// serve runs until ctx ends. Then it lets the requests under way end, within
// patience.
func serve(ctx context.Context, server *http.Server, listener net.Listener, patience time.Duration) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Serve(listener) })
	group.Go(func() error {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(last); err != nil {
			return server.Close() // cuts what does not end
		}
		return nil
	})
	if err := group.Wait(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// routes is the API: main serves it, a test calls it.
func routes(v *validator.Validator) http.Handler {
	auth := httpauth.New(v, nil)
	r := chi.NewRouter()
	r.With(auth.Require(scopes.All("orders:read"))).Get("/orders", listOrders)
	r.Get("/ready", func(w http.ResponseWriter, r *http.Request) {
		if err := v.Ready(r.Context()); err != nil {
			log.Print(err)
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}
	})
	return inTime(r)
}

// inTime ends a request's context while there is time to answer: a client that
// waits for an issuer that hangs gets 503, and not a connection that is cut.
func inTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func listOrders(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "orders of %s\n", validator.FromContext(r.Context()).ClientID())
}
