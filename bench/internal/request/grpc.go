package request

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/validator"
)

// GRPCModule is what the report names the version of.
const GRPCModule = "google.golang.org/grpc"

// Guarded is m2mguard's interceptor.
func Guarded(v *validator.Validator) grpc.UnaryServerInterceptor {
	return grpcauth.New(v, grpcauth.Rules{healthpb.Health_Check_FullMethodName: rule()}, nil).UnaryServerInterceptor
}

// GRPC serves one method that does nothing, behind an interceptor or none, over a real
// connection on loopback. Close ends it.
type GRPC struct {
	Close func()
	conn  *grpc.ClientConn
}

type nothing struct {
	healthpb.UnimplementedHealthServer
}

func (nothing) Check(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return new(healthpb.HealthCheckResponse), nil
}

// ServeGRPC starts one.
func ServeGRPC(guard grpc.UnaryServerInterceptor) (*GRPC, error) {
	var options []grpc.ServerOption
	if guard != nil {
		options = append(options, grpc.UnaryInterceptor(guard))
	}
	s := grpc.NewServer(options...)
	healthpb.RegisterHealthServer(s, nothing{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { _ = s.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.Stop()
		return nil, err
	}
	return &GRPC{func() { _ = conn.Close(); s.Stop() }, conn}, nil
}

// Worker is an operation for one goroutine: one call with raw as its bearer token, which
// must be let in.
func (g *GRPC) Worker(raw string) func() func(int) error {
	return func() func(int) error {
		ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+raw)
		client := healthpb.NewHealthClient(g.conn)
		question := new(healthpb.HealthCheckRequest)
		return func(int) error {
			if _, err := client.Check(ctx, question); err != nil {
				return fmt.Errorf("gRPC: %w", err)
			}
			return nil
		}
	}
}
