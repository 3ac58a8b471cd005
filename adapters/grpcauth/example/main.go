// Command example is a gRPC server that asks for access tokens, with rules from its .proto
// file, and a client of it. A stream ends as its client is revoked.
//
//	go run ./example
//
// It brings its own authorization server; an API names the real one in newValidator.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// newValidator says whom the API trusts.
func newValidator(issuer string, revoked *revocation.List) (*validator.Validator, error) {
	return validator.New(validator.Config{
		Issuers:     []validator.Issuer{{URL: issuer, Audience: []string{issuertest.Audience}}},
		Revocations: revoked,
	})
}

// newServer is the API. Each method has the scopes of its option in orders.proto, and
// one without the option nobody may call. The health service is open.
func newServer(v *validator.Validator) (*grpc.Server, error) {
	rules, err := grpcauth.FromOption(protoregistry.GlobalFiles, ordersv1.E_Scopes, nil)
	if err != nil {
		return nil, err
	}
	auth := grpcauth.New(v, rules, &grpcauth.Config{Public: []string{healthpb.Health_Check_FullMethodName}})
	s := grpc.NewServer(auth.ServerOptions()...)
	ordersv1.RegisterOrdersServer(s, &orders{auth: auth})
	healthpb.RegisterHealthServer(s, health.NewServer())
	return s, nil
}

// orders is behind the gate: a context holds a token that was let in.
type orders struct {
	ordersv1.UnimplementedOrdersServer
	auth *grpcauth.Auth
}

func (o *orders) List(ctx context.Context, filter *ordersv1.Filter) (*ordersv1.OrderList, error) {
	client := validator.FromContext(ctx).ClientID()
	if filter.GetCustomer() != "" && filter.GetCustomer() != client {
		return nil, o.auth.Deny(ctx, errors.New("the orders are another customer's"))
	}
	return &ordersv1.OrderList{Orders: []*ordersv1.Order{{Id: "an order of " + client}}}, nil
}

func (o *orders) Watch(_ *ordersv1.Filter, stream grpc.ServerStreamingServer[ordersv1.Order]) error {
	if err := stream.Send(&ordersv1.Order{Id: "the first of many"}); err != nil {
		return err
	}
	<-stream.Context().Done() // when the client goes, or its token does
	return context.Cause(stream.Context())
}

func run() error {
	iss, err := issuertest.Start()
	if err != nil {
		return err
	}
	defer iss.Close()
	revoked, err := revocation.New(revocation.Config{})
	if err != nil {
		return err
	}
	defer revoked.Close()
	revoked.Current(time.Now()) // a feed does that
	v, err := newValidator(iss.URL(), revoked)
	if err != nil {
		return err
	}
	defer v.Close()
	s, err := newServer(v)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = s.Serve(listener) }()
	defer s.Stop()
	cc, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = cc.Close() }()
	return call(ordersv1.NewOrdersClient(cc), iss, revoked)
}

// call is the client, which says what it gets.
func call(client ordersv1.OrdersClient, iss *issuertest.Issuer, revoked *revocation.List) error {
	ctx := context.Background()
	_, err := client.List(ctx, new(ordersv1.Filter))
	say("List, without a token", err)

	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
	_, err = client.List(ctx, new(ordersv1.Filter))
	say("List", err)
	_, err = client.List(ctx, &ordersv1.Filter{Customer: "another"})
	say("List, of another customer", err)
	_, err = client.Create(ctx, new(ordersv1.Order))
	say("Create", err)

	stream, err := client.Watch(ctx, new(ordersv1.Filter))
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	say("Watch", err)
	record, err := revoked.Record(revocation.Block(revocation.Client(iss.URL(), issuertest.ClientID)), 1)
	if err != nil {
		return err
	}
	if err := revoked.Merge(record); err != nil {
		return err
	}
	_, err = stream.Recv()
	say("Watch, as its client is revoked", err)
	return nil
}

// say prints a status, and what its details name.
func say(what string, err error) {
	st := status.Convert(err)
	fmt.Printf("%-32s %s", what, st.Code())
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Printf(" %s %v", info.GetReason(), info.GetMetadata())
		}
	}
	fmt.Println()
}
