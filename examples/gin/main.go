// An API on Gin. A client needs an access token with the scope orders:read.
//
//	ISSUER=https://id.example.com AUDIENCE=https://orders.example.com go run ./examples/gin
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"

	"github.com/m2mguard/m2mguard/adapters/ginauth"
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
	auth := ginauth.New(v, nil)
	r := gin.New()
	r.GET("/orders", auth.Require(scopes.All("orders:read")), listOrders)
	r.GET("/ready", func(c *gin.Context) {
		if err := v.Ready(c.Request.Context()); err != nil {
			log.Print(err)
			c.String(http.StatusServiceUnavailable, "not ready\n")
		}
	})
	return r
}

func listOrders(c *gin.Context) {
	c.String(http.StatusOK, "orders of %s\n", ginauth.Token(c).ClientID())
}
