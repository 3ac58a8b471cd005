package grpcauth_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// called is the interceptor with an empty handler, and a call whose token was seen before.
func called(t testing.TB) (ctx context.Context, call func(context.Context) error) {
	t.Helper()
	iss := issuertest.New(t)
	auth := grpcauth.New(newValidator(t, iss), rules, nil)
	md := metadata.Join(bearer(iss.Token(issuertest.Claims{
		Scope: "orders:read",
		Extra: map[string]any{"org": "a claim that brings the token to a common length of about 970 bytes, as providers' tokens are: 0123456789 0123456789 0123456789 0123456789 0123456789"},
	})), metadata.Pairs("content-type", "application/grpc", "user-agent", "grpc-go/1.85.0", ":authority", "api.example.com", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
	ctx = peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1234}})
	ctx = metadata.NewIncomingContext(ctx, md)
	info := &grpc.UnaryServerInfo{FullMethod: list}
	handler := func(context.Context, any) (any, error) { return nil, nil }
	call = func(ctx context.Context) error {
		_, err := auth.UnaryServerInterceptor(ctx, nil, info, handler)
		return err
	}
	if err := call(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, call
}

// BenchmarkUnaryServerInterceptor is to take at most 2 µs and 6 allocations.
func BenchmarkUnaryServerInterceptor(b *testing.B) {
	ctx, call := called(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := call(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocations of a call with a token that was seen before.
func TestAllocations(t *testing.T) {
	ctx, call := called(t)
	if got := testing.AllocsPerRun(1000, func() {
		if err := call(ctx); err != nil {
			t.Fatal(err)
		}
	}); got > 6 {
		t.Errorf("%v allocations, wanted at most 6", got)
	}
}
