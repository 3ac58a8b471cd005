package grpcauth_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// store is the API's own.
type store struct {
	ordersv1.UnimplementedOrdersServer
}

func (store) List(ctx context.Context, _ *ordersv1.Filter) (*ordersv1.OrderList, error) {
	return &ordersv1.OrderList{Orders: []*ordersv1.Order{{Id: "of " + validator.FromContext(ctx).ClientID()}}}, nil
}

// A server with a rule for each method, and health for everybody.
func Example() {
	iss, err := issuertest.Start() // a program trusts its own
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	auth := grpcauth.New(v, grpcauth.Rules{
		"/orders.v1.Orders/List":   scopes.All("orders:read"),
		"/orders.v1.Orders/Create": scopes.All("orders:write"),
	}, &grpcauth.Config{Public: []string{"/grpc.health.v1.Health/Check"}})
	s := grpc.NewServer(auth.ServerOptions()...)
	ordersv1.RegisterOrdersServer(s, store{})
	healthpb.RegisterHealthServer(s, health.NewServer())

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = s.Serve(listener) }()
	defer s.Stop()
	cc, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = cc.Close() }()
	client := ordersv1.NewOrdersClient(cc)

	health, _ := healthpb.NewHealthClient(cc).Check(context.Background(), new(healthpb.HealthCheckRequest))
	fmt.Println(health.GetStatus())
	_, err = client.List(context.Background(), new(ordersv1.Filter))
	fmt.Println(status.Code(err), status.Convert(err).Message())

	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
	all, err := client.List(ctx, new(ordersv1.Filter))
	fmt.Println(all.GetOrders()[0].GetId(), err)
	_, err = client.Create(ctx, new(ordersv1.Order))
	fmt.Println(status.Code(err), status.Convert(err).Message())
	// Output:
	// SERVING
	// Unauthenticated No access token was sent.
	// of m2m-client <nil>
	// PermissionDenied The access token lacks a scope that this request needs.
}

// The rules stand in the .proto file, as an option of its own.
func ExampleFromOption() {
	rules, err := grpcauth.FromOption(protoregistry.GlobalFiles, ordersv1.E_Scopes, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rules["/orders.v1.Orders/List"].Needs())
	fmt.Println(rules["/orders.v1.Orders/Import"].Needs())
	// Output:
	// orders:read
	// orders:read orders:write
}
