package connectguardtest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/adapters/connectauth/connectguardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // DangerouslyReportOnly warns, as it should
	goleak.VerifyTestMain(m)
}

// orders is a service of three procedures.
func orders() protoreflect.ServiceDescriptor {
	method := func(name string, stream bool) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{Name: proto.String(name), InputType: proto.String(".google.protobuf.Empty"), OutputType: proto.String(".google.protobuf.Empty"), ServerStreaming: proto.Bool(stream), ClientStreaming: proto.Bool(stream)}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("orders.proto"), Package: proto.String("orders.v1"), Syntax: proto.String("proto3"), Dependency: []string{"google/protobuf/empty.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Orders"), Method: []*descriptorpb.MethodDescriptorProto{method("List", false), method("Create", false), method("Watch", true)}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}
	return file.Services().ByName("Orders")
}

const (
	listing  = "/orders.v1.Orders/List"
	creating = "/orders.v1.Orders/Create"
	watching = "/orders.v1.Orders/Watch"
)

var read, write = scopes.All("orders:read"), scopes.Any("orders:write", "orders:admin")

// build is an API with rules, and with what past has beside the gate.
func build(rules connectauth.Rules, cfg *connectauth.Config, past ...string) func(issuer, audience string) connectguardtest.App {
	return func(issuer, audience string) connectguardtest.App {
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}}})
		if err != nil {
			panic(err)
		}
		mux := http.NewServeMux()
		for _, path := range []string{listing, creating} {
			mux.Handle(path, connect.NewUnaryHandler(path, func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
				panic("no message comes")
			}))
		}
		mux.Handle(watching, connect.NewBidiStreamHandler(watching, func(_ context.Context, s *connect.BidiStream[emptypb.Empty, emptypb.Empty]) error {
			_, err := s.Receive()
			return err
		}))
		outer := http.NewServeMux()
		outer.Handle("/", connectauth.New(v, rules, cfg).Protect(mux))
		for _, path := range past {
			outer.Handle(path, mux)
		}
		return connectguardtest.App{Handler: outer, Services: []protoreflect.ServiceDescriptor{orders()}, Close: v.Close}
	}
}

// recorder keeps what AllGuarded reports.
type recorder []string

func (*recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	*r = append(*r, strings.TrimPrefix(fmt.Sprintf(format, args...), "connectguardtest: "))
}

// TestAllGuarded: each mistake has its report, and an API without one has none.
func TestAllGuarded(t *testing.T) {
	rules := connectauth.Rules{listing: read, creating: write, watching: read}
	gates := func(g httpauth.Gate) *connectauth.Config {
		return &connectauth.Config{Gates: map[string]httpauth.Gate{watching: g}}
	}
	two := connectauth.Rules{listing: read, creating: write}
	for name, tc := range map[string]struct {
		app     func(issuer, audience string) connectguardtest.App
		want    connectauth.Rules
		options []connectguardtest.Option
		says    []string // how reports begin
	}{
		"good":                     {build(rules, nil), rules, nil, nil},
		"good, and public":         {build(two, &connectauth.Config{Public: []string{watching}}), two, []connectguardtest.Option{connectguardtest.Public(watching)}, nil},
		"good, and optional":       {build(two, gates(httpauth.Gate{Rule: read, Optional: true})), rules, []connectguardtest.Option{connectguardtest.Optional(watching)}, nil},
		"good, and report-only":    {build(two, gates(httpauth.Gate{Rule: read, DangerouslyReportOnly: true})), two, []connectguardtest.Option{connectguardtest.ReportOnly(watching)}, nil},
		"good, and for nobody":     {build(two, nil), connectauth.Rules{listing: read, creating: write, watching: {}}, nil, nil},
		"beside the gate":          {build(rules, nil, watching), rules, nil, []string{watching + " is open: "}},
		"unary, beside the gate":   {build(rules, nil, listing), rules, nil, []string{listing + " is open: "}},
		"all of it":                {build(rules, nil, "/orders.v1.Orders/"), rules, nil, []string{creating + " is open: ", listing + " is open: ", watching + " is open: "}},
		"public, unawares":         {build(two, &connectauth.Config{Public: []string{watching}}), rules, nil, []string{watching + " is open: "}},
		"optional, unawares":       {build(two, gates(httpauth.Gate{Rule: read, Optional: true})), rules, nil, []string{watching + " answers "}},
		"report-only, unawares":    {build(two, gates(httpauth.Gate{Rule: read, DangerouslyReportOnly: true})), rules, nil, []string{watching + " is open: "}},
		"in no list":               {build(rules, nil), two, nil, []string{watching + " is in no list, "}},
		"open, and in no list":     {build(rules, nil, watching), two, nil, []string{watching + " is open, and in no list: "}},
		"another rule":             {build(connectauth.Rules{listing: write, creating: write, watching: read}, nil), rules, nil, []string{listing + " refuses a token "}},
		"a stricter rule":          {build(connectauth.Rules{listing: scopes.All("orders:read", "orders:hidden"), creating: write, watching: read}, nil), rules, nil, []string{listing + " refuses a token "}},
		"a hidden alternative":     {build(connectauth.Rules{listing: scopes.Any("orders:hidden", "orders:read"), creating: write, watching: read}, nil), rules, nil, []string{listing + " answers "}},
		"a looser rule":            {build(connectauth.Rules{listing: scopes.AnyToken(), creating: write, watching: read}, nil), rules, nil, []string{listing + " answers "}},
		"no rule":                  {build(connectauth.Rules{creating: write, watching: read}, nil), rules, nil, []string{listing + " answers permission_denied (ACCESS_DENIED) to a good token: it has no rule, "}},
		"listed as public":         {build(rules, nil), two, []connectguardtest.Option{connectguardtest.Public(watching)}, []string{watching + " is listed as Public or ReportOnly, and answers unauthenticated (UNAUTHORIZED)"}},
		"listed as optional":       {build(rules, nil), rules, []connectguardtest.Option{connectguardtest.Optional(listing)}, []string{listing + " is listed as Optional, and answers "}},
		"optional, without a rule": {build(two, &connectauth.Config{Public: []string{watching}}), two, []connectguardtest.Option{connectguardtest.Public(watching), connectguardtest.Optional(watching)}, []string{watching + " is listed as Optional, and is not in the test's Rules"}},
		"in two lists":             {build(rules, nil), rules, []connectguardtest.Option{connectguardtest.Public(watching)}, []string{watching + " is in 2 of the test's Rules, "}},
		"of no service":            {build(rules, nil), connectauth.Rules{listing: read, creating: write, watching: read, "/orders.v1.Orders/Delete": read}, nil, []string{"/orders.v1.Orders/Delete: there is no such procedure"}},
		"what no service has":      {build(rules, nil, "/connectguardtest.v1.Nowhere/"), rules, nil, nil},
		"a policy":                 {build(two, gates(httpauth.Gate{Rule: read, Policy: func(context.Context, *validator.Token) error { return context.Canceled }})), rules, nil, []string{watching + " answers unavailable"}},
		"a policy that says no":    {build(two, gates(httpauth.Gate{Rule: read, Policy: clientsOnly})), rules, nil, []string{watching + " answers permission_denied (ACCESS_DENIED)"}},
		"a policy, and claims":     {build(two, gates(httpauth.Gate{Rule: read, Policy: clientsOnly})), rules, []connectguardtest.Option{connectguardtest.Claims(issuertest.Claims{ClientID: "allowed"})}, nil},
		"bound alone":              {build(two, gates(httpauth.Gate{Rule: read, Bound: true})), rules, nil, []string{watching + " answers unauthenticated (INVALID_TOKEN) to a good token"}},
		"an API without a handler": {func(string, string) connectguardtest.App {
			return connectguardtest.App{Services: []protoreflect.ServiceDescriptor{orders()}}
		}, rules, nil, []string{"App.Handler is nil"}},
		"an API without a service": {func(string, string) connectguardtest.App {
			return connectguardtest.App{Handler: http.NotFoundHandler()}
		}, rules, nil, []string{"App.Handler is nil, or App.Services is empty"}},
		"a handler for all, before": {func(issuer, audience string) connectguardtest.App {
			a := build(rules, nil)(issuer, audience)
			inner := a.Handler
			a.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "Nowhere") {
					_, _ = w.Write([]byte("{}"))
					return
				}
				inner.ServeHTTP(w, r)
			})
			return a
		}, rules, nil, []string{"a procedure that no service has is served"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got recorder
			connectguardtest.AllGuarded(&got, tc.app, tc.want, tc.options...)
			if len(got) != len(tc.says) {
				t.Fatalf("reported %q, wanted %q", got, tc.says)
			}
			for n, begin := range tc.says {
				if !strings.HasPrefix(got[n], begin) {
					t.Errorf("reported %q, wanted %q", got[n], begin)
				}
			}
		})
	}
}

func clientsOnly(_ context.Context, token *validator.Token) error {
	if token.ClientID() != "allowed" {
		return fmt.Errorf("client %q is not allowed", token.ClientID())
	}
	return nil
}
