package grpcauth_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// newList is a list of revocations that is up to date.
func newList(t *testing.T) *revocation.List {
	t.Helper()
	all, err := revocation.New(revocation.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(all.Close)
	all.Current(time.Now())
	return all
}

// block revokes what a client has.
func block(t *testing.T, all *revocation.List, iss *issuertest.Issuer, client string) {
	t.Helper()
	record, err := all.Record(revocation.Block(revocation.Client(iss.URL(), client)), 1)
	if err == nil {
		err = all.Merge(record)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// handlers are what a handler may be in as its stream ends. Each sends one order first.
var handlers = map[string]func(grpc.ServerStream) error{
	"waits for its context": func(s grpc.ServerStream) error { <-s.Context().Done(); return s.Context().Err() },
	"receives":              func(s grpc.ServerStream) error { return s.RecvMsg(new(ordersv1.Order)) },
	"sends to a client that does not read": func(s grpc.ServerStream) error {
		for {
			if err := s.SendMsg(&ordersv1.Order{Id: strings.Repeat("x", 1<<14)}); err != nil {
				return err
			}
		}
	},
	"sends now and then": func(s grpc.ServerStream) error {
		for {
			if err := s.SendMsg(&ordersv1.Order{}); err != nil {
				return err
			}
			time.Sleep(time.Second) // of the bubble
		}
	},
	"returns late, with an answer of its own": func(s grpc.ServerStream) error {
		<-s.Context().Done()
		time.Sleep(time.Minute)
		return status.Error(codes.OK, "")
	},
}

// TestStreamsEndWithTheirToken: whatever the handler waits for, a stream ends when its
// token expires, is revoked, or its validator closes, with what the next call would get;
// the handler's context says why, and its goroutine ends.
func TestStreamsEndWithTheirToken(t *testing.T) {
	for doing, handler := range handlers {
		for name, tc := range map[string]struct {
			happens func(t *testing.T, v *validator.Validator, all *revocation.List, iss *issuertest.Issuer)
			after   time.Duration
			want    reply
			check   validator.Check
		}{
			"expiry": {func(*testing.T, *validator.Validator, *revocation.List, *issuertest.Issuer) {}, 12 * time.Minute, invalidToken("The access token has expired."), validator.CheckExpiry},
			"revocation": {func(t *testing.T, _ *validator.Validator, all *revocation.List, iss *issuertest.Issuer) {
				block(t, all, iss, "compromised")
			}, 2 * time.Second, invalidToken("The access token was revoked."), validator.CheckRevoked},
			"the validator's end": {func(_ *testing.T, v *validator.Validator, _ *revocation.List, _ *issuertest.Issuer) { v.Close() }, 2 * time.Second, unavailable, validator.CheckUnavailable},
		} {
			t.Run(doing+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss, all := issuertest.NewInMemory(t), newList(t)
					v := newValidator(t, iss, func(c *validator.Config) { c.Revocations = all })
					returned := make(chan error, 1)
					cc := newAPI(t, grpcauth.New(v, rules, nil), &orders{serve: func(stream grpc.ServerStream) error {
						_ = stream.SendMsg(&ordersv1.Order{Id: whose(stream.Context())})
						err := handler(stream)
						returned <- context.Cause(stream.Context())
						return err
					}})
					ctx := metadata.NewOutgoingContext(t.Context(), bearer(iss.Token(issuertest.Claims{ClientID: "compromised", Scope: "orders:read orders:write", ExpiresIn: 10 * time.Minute})))
					stream, err := cc.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, imports)
					if err != nil {
						t.Fatal(err)
					}
					var order ordersv1.Order
					if err := stream.RecvMsg(&order); err != nil || order.Id != "compromised" {
						t.Fatal(order.Id, err)
					}
					began := time.Now()
					time.Sleep(5 * time.Minute)
					if len(returned) > 0 {
						t.Fatalf("it ended too soon: %v", <-returned)
					}
					tc.happens(t, v, all, iss)
					time.Sleep(tc.after)
					synctest.Wait()
					for err == nil {
						err = stream.RecvMsg(new(ordersv1.Order))
					}
					if took := time.Since(began) - 5*time.Minute; took > tc.after {
						t.Errorf("it took %v", took)
					}
					got := read(t, err, nil, stream.Trailer(), "")
					got.Retry = 0
					if diff := gocmp.Diff(tc.want, got); diff != "" {
						t.Error(diff)
					}
					if cause, ok := errors.AsType[*validator.Error](<-returned); !ok || cause.Check() != tc.check {
						t.Errorf("the handler's context ended with %v", cause)
					}
					if n := v.Stats().Streams; n != 0 {
						t.Errorf("%d streams are watched", n)
					}
				})
			})
		}
	}
}

// TestStreamsOfOthersGoOn, and end as their handlers and clients do.
func TestStreamsOfOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss, all := issuertest.NewInMemory(t), newList(t)
		v := newValidator(t, iss, func(c *validator.Config) { c.Revocations = all })
		causes := make(chan error, 1)
		cc := newAPI(t, grpcauth.New(v, rules, nil), &orders{serve: func(stream grpc.ServerStream) error {
			_ = stream.SendMsg(&ordersv1.Order{})
			<-stream.Context().Done()
			causes <- context.Cause(stream.Context())
			return stream.Context().Err()
		}})
		ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(t.Context(), bearer(iss.Token(issuertest.Claims{ClientID: "good", Scope: "orders:read"}))))
		stream, err := ordersv1.NewOrdersClient(cc).Watch(ctx, &ordersv1.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Recv()
		block(t, all, iss, "compromised")
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := v.Stats().Streams; n != 1 || len(causes) > 0 {
			t.Errorf("%d streams are watched, wanted 1; %d ended", n, len(causes))
		}
		cancel()
		if cause := <-causes; !errors.Is(cause, context.Canceled) {
			t.Errorf("the client went, and the context ended with %v", cause)
		}
		synctest.Wait()
		if n := v.Stats().Streams; n != 0 {
			t.Errorf("%d streams are watched", n)
		}
	})
}

// TestReportOnlyStreams outlive their token, but no revocation.
func TestReportOnlyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss, all := issuertest.NewInMemory(t), newList(t)
		v := newValidator(t, iss, func(c *validator.Config) { c.Revocations = all })
		auth := grpcauth.New(v, rules, &grpcauth.Config{DangerouslyReportOnly: true})
		cc := newAPI(t, auth, &orders{serve: func(stream grpc.ServerStream) error {
			for n := 0; ; n++ {
				if err := stream.SendMsg(&ordersv1.Order{}); err != nil {
					return err
				}
				time.Sleep(time.Minute)
			}
		}})
		open := func(client string) grpc.ServerStreamingClient[ordersv1.Order] {
			ctx := metadata.NewOutgoingContext(t.Context(), bearer(iss.Token(issuertest.Claims{ClientID: client, ExpiresIn: 10 * time.Minute})))
			stream, err := ordersv1.NewOrdersClient(cc).Watch(ctx, &ordersv1.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			return stream
		}
		expiring, revoked := open("expiring"), open("revoked")
		block(t, all, iss, "revoked")
		if _, err := revoked.Recv(); status.Code(err) != codes.Unauthenticated {
			t.Errorf("revoked: %v", err)
		}
		for range 20 {
			if _, err := expiring.Recv(); err != nil {
				t.Fatalf("expired: %v", err)
			}
		}
		_ = cc.Close()
		time.Sleep(2 * time.Minute) // in which the handlers notice
	})
}

// TestLiveCalls: a unary call that lasts ends with its token where its gate asks for it.
func TestLiveCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		auth := grpcauth.New(newValidator(t, iss), nil, &grpcauth.Config{Gates: map[string]httpauth.Gate{list: {Rule: scopes.AnyToken(), Live: true}}})
		cc := newAPI(t, auth, &orders{called: func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}})
		ctx := metadata.NewOutgoingContext(t.Context(), bearer(iss.Token(issuertest.Claims{ExpiresIn: time.Minute})))
		if _, err := ordersv1.NewOrdersClient(cc).List(ctx, &ordersv1.Filter{}); err == nil || !strings.Contains(err.Error(), "expired since") {
			t.Errorf("%v", err)
		}
	})
}

// TestPanics go up to interceptors that recover, of a handler in its own goroutine and of
// a policy, and no handler runs past a policy that panics. So does the end of a goroutine.
func TestPanics(t *testing.T) {
	iss := issuertest.New(t)
	v := newValidator(t, iss)
	mistake := errors.New("a mistake")
	handler := func(any, grpc.ServerStream) error { panic(mistake) }
	byPolicy := grpcauth.New(v, nil, &grpcauth.Config{Gates: map[string]httpauth.Gate{
		watch: httpauth.GateThat(scopes.AnyToken(), func(context.Context, *validator.Token) error { panic(mistake) }),
	}})
	ctx := metadata.NewIncomingContext(t.Context(), bearer(iss.Token(issuertest.Claims{Scope: "orders:read"})))
	for name, tc := range map[string]struct {
		auth    *grpcauth.Auth
		handler grpc.StreamHandler
	}{
		"handler": {grpcauth.New(v, rules, nil), handler},
		"policy":  {byPolicy, func(any, grpc.ServerStream) error { t.Error("the handler ran"); return nil }},
	} {
		func() {
			defer func() {
				if p := recover(); p != mistake {
					t.Errorf("%s: panicked with %v", name, p)
				}
			}()
			_ = tc.auth.StreamServerInterceptor(t, fakeStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: watch}, tc.handler)
		}()
	}
	ended := make(chan bool)
	go func() {
		ran := false
		defer func() { ended <- ran }()
		_ = grpcauth.New(v, rules, nil).StreamServerInterceptor(t, fakeStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: watch}, func(any, grpc.ServerStream) error {
			runtime.Goexit()
			return nil
		})
		ran = true
	}()
	if <-ended {
		t.Error("a handler that ended its goroutine returned")
	}
}

// TestLatePanic: one after its stream has ended is written down, and ends no process.
func TestLatePanic(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		auth := grpcauth.New(newValidator(t, iss), rules, nil)
		ctx := metadata.NewIncomingContext(t.Context(), bearer(iss.Token(issuertest.Claims{Scope: "orders:read", ExpiresIn: time.Minute})))
		err := auth.StreamServerInterceptor(t, fakeStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: watch}, func(_ any, s grpc.ServerStream) error {
			<-s.Context().Done()
			time.Sleep(time.Second)
			panic("a secret")
		})
		if status.Code(err) != codes.Unauthenticated {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
	if text := log.String(); !strings.Contains(text, "panicked after its stream had ended") || !strings.Contains(text, watch) || !strings.Contains(text, "streams_test.go") || strings.Contains(text, "a secret") {
		t.Errorf("the log holds %q", text)
	}
}
