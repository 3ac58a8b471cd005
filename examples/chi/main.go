// An API on chi, or any router whose middleware is a func(http.Handler) http.Handler. A client needs an access token with the scope orders:read.
//
//	ISSUER=https://id.example.com AUDIENCE=https://orders.example.com go run ./examples/chi
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: ":8080", Handler: routes(v), ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(server.ListenAndServe)
	group.Go(func() error {
		<-ctx.Done()
		return server.Shutdown(context.Background()) // lets requests under way end
	})
	err = group.Wait()
	v.Close()
	if !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
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
	return r
}

func listOrders(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "orders of %s\n", validator.FromContext(r.Context()).ClientID())
}
