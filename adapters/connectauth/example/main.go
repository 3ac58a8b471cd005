// An API on Connect, which clients of gRPC and gRPC-Web call as well. A client needs an
// access token with the scope orders:read.
//
//	ISSUER=https://id.example.com AUDIENCE=https://orders.example.com go run ./example
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
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

// newServer bounds how much of a client's request is read, and for how long; a stream lasts
// as long as its token. HTTP/2 without TLS is for what stands behind a proxy.
func newServer(api http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           api,
		Protocols:         protocols,
		MaxHeaderBytes:    64 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
	}
}

// serve runs until ctx ends. Then it lets the calls under way end, within patience.
func serve(ctx context.Context, server *http.Server, listener net.Listener, patience time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := server.Shutdown(last)
	if err != nil {
		err = server.Close() // cuts what does not end
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return err
}

// The procedures. Generated code has their names as constants.
const (
	list  = "/orders.v1.Orders/List"
	watch = "/orders.v1.Orders/Watch"
)

// routes is the API: main serves it, a test calls it.
func routes(v *validator.Validator) http.Handler {
	read := scopes.All("orders:read")
	auth := connectauth.New(v, connectauth.Rules{list: read, watch: read}, nil)
	calls := http.NewServeMux() // where generated code has mux.Handle(ordersv1connect.NewOrdersHandler(orders))
	calls.Handle(list, connect.NewUnaryHandler(list, listOrders, connect.WithReadMaxBytes(1<<20)))
	calls.Handle(watch, connect.NewServerStreamHandler(watch, watchOrders, connect.WithReadMaxBytes(1<<20)))

	mux := http.NewServeMux()
	mux.Handle("/", auth.Protect(calls))
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		if err := v.Ready(r.Context()); err != nil {
			log.Print(err)
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}
	})
	return mux
}

func listOrders(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
	return connect.NewResponse(wrapperspb.String("orders of " + validator.FromContext(ctx).ClientID())), nil
}

// watchOrders would send each new order. It ends with its client's token.
func watchOrders(ctx context.Context, _ *connect.Request[emptypb.Empty], stream *connect.ServerStream[wrapperspb.StringValue]) error {
	if err := stream.Send(wrapperspb.String("orders of " + validator.FromContext(ctx).ClientID())); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}
