package grpcauth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"google.golang.org/grpc/health"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// The services that tell of others.
const (
	check    = healthpb.Health_Check_FullMethodName
	checkAll = healthpb.Health_Watch_FullMethodName
	reflect1 = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
	reflect0 = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
)

// call sends one empty message to a method of whatever kind, and wants one back.
func call(t *testing.T, cc *grpc.ClientConn, method string, md metadata.MD) reply {
	t.Helper()
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(t.Context(), md))
	defer cancel()
	stream, err := cc.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return read(t, err, nil, nil, "")
	}
	_ = stream.SendMsg(&emptypb.Empty{})
	_ = stream.CloseSend()
	err = stream.RecvMsg(&emptypb.Empty{})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	header, _ := stream.Header()
	return read(t, err, header, stream.Trailer(), "")
}

// TestMethodsWithoutARule are refused, whoever calls, and whether the server has them or
// not. Those of Public are open, by their whole names.
func TestMethodsWithoutARule(t *testing.T) {
	iss := issuertest.New(t)
	v := newValidator(t, iss)
	auth := grpcauth.New(v, grpcauth.Rules{list: scopes.All("orders:read")}, &grpcauth.Config{Public: []string{check, reflect1}})
	reached := make(chan string, 100)
	s := grpc.NewServer(append(auth.ServerOptions(), grpc.UnknownServiceHandler(func(_ any, ss grpc.ServerStream) error {
		name, _ := grpc.Method(ss.Context())
		reached <- name
		return nil
	}))...)
	ordersv1.RegisterOrdersServer(s, new(orders))
	healthpb.RegisterHealthServer(s, health.NewServer())
	reflection.Register(s)
	cc := dial(t, s)
	everything := bearer(iss.Token(issuertest.Claims{Scope: "orders:read orders:write orders:admin"}))
	for name, method := range map[string]string{
		"registered, unary": create, "registered, streams from the server": watch, "registered, streams from the client": imports,
		"health, as a stream": checkAll, "reflection, as it was": reflect0,
		"unknown service": "/orders.v2.Orders/List", "unknown method": "/orders.v1.Orders/Delete", "package alone": "/orders.v1.Orders/",
		"other case": "/orders.v1.orders/List", "other case of the method": "/orders.v1.Orders/list", "other case of a public one": "/grpc.health.v1.health/check",
		"a slash at the end": list + "/", "of a public one": check + "/", "two slashes": "/" + list, "two within": "/orders.v1.Orders//List",
		"escaped": "/orders.v1.Orders/Lis%74", "with a query": list + "?a=b", "with dots": "/orders.v1.Orders/../" + strings.TrimPrefix(check, "/"), "with a space": list + " ",
	} {
		if diff := gocmp.Diff(unauthorized, call(t, cc, method, nil)); diff != "" {
			t.Errorf("%s, without a token: %s", name, diff)
		}
		if diff := gocmp.Diff(denied, call(t, cc, method, everything)); diff != "" {
			t.Errorf("%s, with every scope: %s", name, diff)
		}
	}
	if len(reached) > 0 {
		t.Errorf("the handler of unknown services got %s", <-reached)
	}
	for _, method := range []string{check, reflect1} {
		for _, md := range []metadata.MD{nil, bearer("bad"), everything} {
			if got := call(t, cc, method, md); got.Code == codes.Unauthenticated || got.Reason != "" {
				t.Errorf("%s: %+v", method, got)
			}
		}
	}
}

// TestNoFirstSlash: a path without it is none, with this interceptor and without.
func TestNoFirstSlash(t *testing.T) {
	iss := issuertest.New(t)
	auth := grpcauth.New(newValidator(t, iss), rules, nil)
	for _, name := range []string{"orders.v1.Orders/List", "List", ""} {
		err := auth.StreamServerInterceptor(nil, fakeStream{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: name}, func(any, grpc.ServerStream) error {
			t.Errorf("%q: the handler ran", name)
			return nil
		})
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%q: %v", name, err)
		}
		_, err = auth.UnaryServerInterceptor(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: name}, func(context.Context, any) (any, error) {
			t.Errorf("%q: the handler ran", name)
			return nil, nil
		})
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// fakeStream is one without a connection.
type fakeStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s fakeStream) Context() context.Context  { return s.ctx }
func (fakeStream) SetHeader(metadata.MD) error { return errors.New("no connection") }
func (fakeStream) SetTrailer(metadata.MD)      {}

// TestEvents name the method, but no name that a client made up, and no secret.
func TestEvents(t *testing.T) {
	iss := issuertest.New(t)
	var mu sync.Mutex
	got := make(map[string]bool)
	v := newValidator(t, iss, func(c *validator.Config) {
		c.Observer = observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
			mu.Lock()
			defer mu.Unlock()
			if text := fmt.Sprintf("%+v", *e); strings.Contains(text, "eyJ") {
				t.Errorf("an event holds a token: %s", text)
			}
			if e.Method != http.MethodPost && e.Method != "" {
				t.Errorf("the method is %q", e.Method)
			}
			if e.Route == "" && e.Check == string(validator.CheckPolicy) && !strings.Contains(fmt.Sprint(e.Err), "Rules") {
				t.Errorf("%v does not say where to mend it", e.Err)
			}
			if e.Kind == observe.Accepted || e.Kind == observe.Refused {
				got[fmt.Sprintf("%s %s %s", e.Route, e.Check, e.Source)] = true
			}
		}}
	})
	auth := grpcauth.New(v, rules, &grpcauth.Config{Source: func(context.Context) string { return "somebody" }})
	cc := newAPI(t, auth, &orders{called: func(ctx context.Context) error { return auth.Deny(ctx, errors.New("no")) }},
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return nil }))
	good := bearer(iss.Token(issuertest.Claims{Scope: "orders:read"}))
	for _, md := range []metadata.MD{nil, good, bearer(iss.Bad(issuertest.Tampered, issuertest.Claims{}))} {
		ask(t, cc, list, md)
		ask(t, cc, watch, md)
		ask(t, cc, "/made.Up/Name", md)
	}
	mu.Lock()
	defer mu.Unlock()
	var all []string
	for line := range got {
		all = append(all, line)
	}
	slices.Sort(all)
	want := []string{
		" missing somebody", " policy somebody", " signature somebody",
		list + "  somebody", list + " missing somebody", list + " policy somebody", list + " signature somebody",
		watch + "  somebody", watch + " missing somebody", watch + " signature somebody",
	}
	if diff := gocmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
}

// TestReasonForInterceptors: those before this one find what clients never read.
func TestReasonForInterceptors(t *testing.T) {
	iss := issuertest.New(t)
	auth := grpcauth.New(newValidator(t, iss), rules, nil)
	ctx := metadata.NewIncomingContext(t.Context(), bearer(iss.Bad(issuertest.Expired, issuertest.Claims{})))
	_, err := auth.UnaryServerInterceptor(ctx, nil, &grpc.UnaryServerInfo{FullMethod: list}, nil)
	reason, ok := errors.AsType[*validator.Error](err)
	if !ok || reason.Check() != validator.CheckExpiry || !errors.Is(err, validator.ErrInvalidToken) {
		t.Errorf("%v", err)
	}
	if status.Code(fmt.Errorf("logged: %w", err)) != codes.Unauthenticated || strings.Contains(err.Error(), "exp ") || err.Error() == reason.Error() {
		t.Errorf("%v", err)
	}
}

// TestServeHTTP: a grpc.Server behind net/http is guarded as well, and what is no gRPC
// reaches no handler.
func TestServeHTTP(t *testing.T) {
	iss := issuertest.New(t)
	auth := grpcauth.New(newValidator(t, iss), rules, nil)
	s := grpc.NewServer(auth.ServerOptions()...)
	called := make(chan bool, 100)
	ordersv1.RegisterOrdersServer(s, &orders{called: func(context.Context) error { called <- true; return nil }})
	t.Cleanup(s.Stop)
	server := httptest.NewUnstartedServer(s)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	good := "Bearer " + iss.Token(issuertest.Claims{Scope: "orders:read"})
	send := func(method, contentType string, authorization ...string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+list, strings.NewReader("\x00\x00\x00\x00\x00"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Authorization"] = authorization
		r.Header.Set("Content-Type", contentType)
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response
	}
	for name, tc := range map[string]struct {
		authorization []string
		want          string
	}{
		"good": {[]string{good}, "0"}, "none": {nil, "16"}, "two fields": {[]string{good, good}, "3"}, "bad": {[]string{"Bearer x.y.z"}, "16"},
	} {
		response := send("POST", "application/grpc", tc.authorization...)
		got := response.Trailer.Get("Grpc-Status")
		if got != tc.want || (tc.want != "0") != (response.Header.Get("Www-Authenticate") != "") {
			t.Errorf("%s: status %q, wanted %s; %v %v", name, got, tc.want, response.Header, response.Trailer)
		}
	}
	if n := len(called); n != 1 {
		t.Errorf("the handler ran %d times, wanted once", n)
	}
	for _, contentType := range []string{"application/grpc-web", "application/grpc-web-text", "application/json", ""} {
		for _, method := range []string{"POST", "GET"} {
			if response := send(method, contentType, good); response.StatusCode < 400 {
				t.Errorf("%s %s: %s", method, contentType, response.Status)
			}
		}
	}
	if n := len(called); n != 1 {
		t.Errorf("the handler ran for what is no gRPC")
	}
}

// TestFaults: New says all of them at once.
func TestFaults(t *testing.T) {
	iss := issuertest.New(t)
	v := newValidator(t, iss)
	panicked := func(build func()) (text string) {
		defer func() { text, _ = recover().(string) }()
		build()
		return ""
	}
	read := scopes.All("orders:read")
	got := panicked(func() {
		grpcauth.New(v, grpcauth.Rules{
			list: read, watch: {}, "orders.v1.Orders/Create": read, "/orders.v1.Orders/": read, "/List": read, "/a/b c": read, create: scopes.All(), "": read,
		}, &grpcauth.Config{
			Gates:  map[string]httpauth.Gate{list: {Rule: read}, imports: {Rule: read, DangerouslyReportOnly: true, Bound: true}, "/a/Zero": {}},
			Public: []string{check, list, check, "grpc.health.v1.Health"},
		})
	})
	for _, want := range []string{
		`grpcauth: New: Rules holds "",`, `Rules holds "/List"`, `Rules holds "/a/b c"`, `Rules holds "/orders.v1.Orders/"`, `Rules holds "orders.v1.Orders/Create"`,
		`Rules["/orders.v1.Orders/Watch"]: the rule lets nobody in`, `Rules["/orders.v1.Orders/Create"]: the rule lets nobody in`,
		`Config.Gates holds /orders.v1.Orders/List a second time`, `Config.Gates["/orders.v1.Orders/Import"]: Gate: DangerouslyReportOnly`, `Config.Gates["/a/Zero"]: the rule lets nobody in`,
		`Config.Public holds /orders.v1.Orders/List a second time`, `Config.Public holds /grpc.health.v1.Health/Check a second time`, `Config.Public holds "grpc.health.v1.Health"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
	if lines := strings.Count(got, "\n") + 1; lines != 13 {
		t.Errorf("%d lines, wanted 13:\n%s", lines, got)
	}
	for want, build := range map[string]func(){
		"grpcauth: New: the validator is nil": func() { grpcauth.New(nil, nil, nil) },
		"grpcauth: New: Config.PublicURL is":  func() { grpcauth.New(v, nil, &grpcauth.Config{PublicURL: "api.example.com"}) },
		"grpcauth: New: Config.Realm is":      func() { grpcauth.New(v, nil, &grpcauth.Config{Realm: `a"`}) },
		"grpcauth: New: Config.Audience is":   func() { grpcauth.New(v, nil, &grpcauth.Config{Audience: []string{}}) },
	} {
		if got := panicked(build); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, wanted %s", got, want)
		}
	}
}

// TestRoutes lists the rules, and the metadata of the API tells of them.
func TestRoutes(t *testing.T) {
	iss := issuertest.New(t)
	auth := grpcauth.New(newValidator(t, iss), grpcauth.Rules{list: scopes.All("orders:read")}, &grpcauth.Config{
		Gates: map[string]httpauth.Gate{create: {Rule: scopes.All("orders:write"), Bound: true}}, Public: []string{check},
		PublicURL: "https://api.example.com", Metadata: httpauth.Metadata{ScopesOfRoutes: true},
	})
	var got []string
	for _, route := range auth.Routes() {
		got = append(got, route.Pattern+" "+route.Kind+" "+route.Scope)
	}
	if diff := gocmp.Diff([]string{list + " required orders:read", create + " bound orders:write"}, got); diff != "" {
		t.Error(diff)
	}
	mux := http.NewServeMux()
	auth.MountMetadata(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource", nil))
	if text := w.Body.String(); w.Code != 200 || !strings.Contains(text, `"resource":"https://api.example.com"`) || !strings.Contains(text, `"scopes_supported":["orders:read","orders:write"]`) {
		t.Errorf("%d %s", w.Code, text)
	}
	cc := newAPI(t, auth, nil)
	want := `Bearer realm="api", scope="orders:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`
	if got := ask(t, cc, list, nil); len(got.Challenge) != 1 || got.Challenge[0] != want {
		t.Errorf("%q", got.Challenge)
	}
}
