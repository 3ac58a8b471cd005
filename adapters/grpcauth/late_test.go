package grpcauth_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestNothingIsHandledAfterTheEnd: of three thousand messages that came in one write, a
// handler that does not look at its context gets none once its client has been refused,
// and its sends fail with the reason.
func TestNothingIsHandledAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss, all := issuertest.NewInMemory(t), newList(t)
		auth := grpcauth.New(newValidator(t, iss, func(c *validator.Config) { c.Revocations = all }), rules, nil)
		s := grpc.NewServer(auth.ServerOptions()...)
		var handled atomic.Int64
		goOn, ended := make(chan struct{}), make(chan [2]error, 1)
		ordersv1.RegisterOrdersServer(s, &orders{serve: func(ss grpc.ServerStream) error {
			var err error
			for err == nil {
				if err = ss.RecvMsg(new(ordersv1.Order)); err == nil && handled.Add(1) == 5 {
					<-goOn
				}
			}
			ended <- [2]error{err, ss.SendMsg(new(ordersv1.Order))}
			return err
		}})
		listener := bufconn.Listen(1 << 20)
		go func() { _ = s.Serve(listener) }()
		defer s.Stop()
		var h2c http.Protocols
		h2c.SetUnencryptedHTTP2(true)
		transport := &http.Transport{Protocols: &h2c, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return listener.DialContext(ctx) }}
		defer transport.CloseIdleConnections()
		body, w := io.Pipe()
		defer func() { _ = w.Close() }()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://api"+imports, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"},
			"Authorization": {"Bearer " + iss.Token(issuertest.Claims{ClientID: "compromised", Scope: "orders:read orders:write"})}}
		refused := make(chan string, 1)
		go func() {
			res, err := transport.RoundTrip(req)
			if err != nil {
				refused <- err.Error()
				return
			}
			defer func() { _ = res.Body.Close() }()
			_, _ = io.Copy(io.Discard, res.Body)
			refused <- res.Trailer.Get("Grpc-Status") + res.Header.Get("Grpc-Status")
		}()
		go func() { _, _ = w.Write(make([]byte, 5*3000)) }()
		synctest.Wait()
		block(t, all, iss, "compromised")
		if got := <-refused; got != "16" {
			t.Errorf("the client got %s", got)
		}
		close(goOn)
		for n, err := range <-ended {
			if over, ok := err.(*validator.Error); !ok || over.Check() != validator.CheckRevoked {
				t.Errorf("receiving and sending, %d: %v", n, err)
			}
		}
		if n := handled.Load(); n != 5 {
			t.Errorf("%d messages were handled, wanted the 5 of before", n)
		}
	})
}

// delivers is a transport that hands a message over at a moment of the test's.
type delivers struct {
	grpc.ServerStream
	ctx     context.Context
	message chan struct{}
}

func (d *delivers) Context() context.Context     { return d.ctx }
func (d *delivers) SetHeader(metadata.MD) error  { return nil }
func (d *delivers) SendHeader(metadata.MD) error { return nil }
func (d *delivers) SetTrailer(metadata.MD)       {}
func (d *delivers) SendMsg(any) error            { return nil }
func (d *delivers) RecvMsg(any) error            { <-d.message; return nil }

// TestMessageOnItsWay: nor does a handler get the message that it was waiting for as the
// token ended.
func TestMessageOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss, all := issuertest.NewInMemory(t), newList(t)
		auth := grpcauth.New(newValidator(t, iss, func(c *validator.Config) { c.Revocations = all }), rules, nil)
		ctx := metadata.NewIncomingContext(t.Context(), bearer(iss.Token(issuertest.Claims{ClientID: "compromised", Scope: "orders:read orders:write"})))
		wire, got := &delivers{ctx: ctx, message: make(chan struct{})}, make(chan error, 1)
		done := make(chan error, 1)
		go func() {
			done <- auth.StreamServerInterceptor(nil, wire, &grpc.StreamServerInfo{FullMethod: imports}, func(_ any, ss grpc.ServerStream) error {
				got <- ss.RecvMsg(new(ordersv1.Order))
				return nil
			})
		}()
		synctest.Wait()
		block(t, all, iss, "compromised")
		if err := <-done; status.Code(err) != codes.Unauthenticated {
			t.Errorf("the stream ended with %v", err)
		}
		wire.message <- struct{}{}
		if err, ok := (<-got).(*validator.Error); !ok || err.Check() != validator.CheckRevoked {
			t.Errorf("the handler got %v, and a message", err)
		}
	})
}

// TestLateHandlersAreBounded: handlers that heed nothing are left running 256 times. Then
// a client waits for its own, and is told when one of all has ended.
func TestLateHandlersAreBounded(t *testing.T) {
	const most, more = 256, 3
	synctest.Test(t, func(t *testing.T) {
		iss, all := issuertest.NewInMemory(t), newList(t)
		auth := grpcauth.New(newValidator(t, iss, func(c *validator.Config) { c.Revocations = all }), rules, nil)
		release := make(chan struct{})
		cc := newAPI(t, auth, &orders{serve: func(ss grpc.ServerStream) error {
			_ = ss.SendMsg(new(ordersv1.Order))
			<-release
			return nil
		}})
		told := make(chan error, most+more)
		for n := range most + more {
			ctx := metadata.NewOutgoingContext(t.Context(), bearer(iss.Token(issuertest.Claims{ClientID: "compromised", Subject: fmt.Sprint(n), Scope: "orders:read"})))
			stream, err := ordersv1.NewOrdersClient(cc).Watch(ctx, new(ordersv1.Filter))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			go func() {
				_, err := stream.Recv()
				told <- err
			}()
		}
		block(t, all, iss, "compromised")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(told); n != most {
			t.Errorf("%d streams have ended while their handlers run, wanted %d", n, most)
		}
		for range more {
			release <- struct{}{}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		close(release)
		if n := len(told); n != most+more {
			t.Errorf("%d streams have ended after %d handlers have, wanted all %d", n, more, most+more)
		}
		for range len(told) {
			if got := read(t, <-told, nil, nil, ""); got.Reason != "INVALID_TOKEN" {
				t.Fatalf("a client was told %+v", got)
			}
		}
	})
}
