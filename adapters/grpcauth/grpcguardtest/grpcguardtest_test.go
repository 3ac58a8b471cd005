package grpcguardtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/grpcguardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The methods of the API under test.
const (
	list    = ordersv1.Orders_List_FullMethodName
	create  = ordersv1.Orders_Create_FullMethodName
	watch   = ordersv1.Orders_Watch_FullMethodName
	imports = ordersv1.Orders_Import_FullMethodName
	check   = healthpb.Health_Check_FullMethodName
	every   = healthpb.Health_List_FullMethodName
	follow  = healthpb.Health_Watch_FullMethodName
)

// want are the rules that somebody wrote down.
func want() grpcauth.Rules {
	return grpcauth.Rules{
		list: scopes.All("orders:read"), watch: scopes.AnyToken(), create: scopes.Any("orders:admin", "orders:write"), imports: scopes.All("orders:read", "orders:write"),
	}
}

type orders struct {
	ordersv1.UnimplementedOrdersServer
}

func (orders) List(context.Context, *ordersv1.Filter) (*ordersv1.OrderList, error) {
	return nil, errors.New("no database")
}

func (orders) Import(s grpc.ClientStreamingServer[ordersv1.Order, ordersv1.OrderList]) error {
	for {
		if _, err := s.Recv(); errors.Is(err, io.EOF) {
			return s.SendAndClose(new(ordersv1.OrderList))
		} else if err != nil {
			return err
		}
	}
}

// notes are the reports of one run.
type notes []string

func (*notes) Helper() {}
func (n *notes) Errorf(format string, args ...any) {
	*n = append(*n, strings.TrimPrefix(fmt.Sprintf(format, args...), "grpcguardtest: "))
}

// api is one under test: what is changed of one that is as it should be.
type api struct {
	rules   grpcauth.Rules
	config  grpcauth.Config
	options func(*grpcauth.Auth) []grpc.ServerOption // nil for all
	more    func(*grpc.Server)
	foreign bool
}

func (a api) build(issuer, audience string) grpcguardtest.App {
	if a.foreign {
		issuer = "https://elsewhere.example.com"
	}
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{{URL: issuer, Audience: []string{audience}}},
		Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}},
	})
	if err != nil {
		panic(err)
	}
	if a.rules == nil {
		a.rules = want()
	}
	auth := grpcauth.New(v, a.rules, &a.config)
	options := auth.ServerOptions()
	if a.options != nil {
		options = a.options(auth)
	}
	s := grpc.NewServer(options...)
	ordersv1.RegisterOrdersServer(s, orders{})
	if a.more != nil {
		a.more(s)
	}
	return grpcguardtest.App{Server: s, Close: v.Close}
}

func healthy(s *grpc.Server) { healthpb.RegisterHealthServer(s, health.NewServer()) }

// but is the rules with one changed.
func but(name string, rule scopes.Rule) grpcauth.Rules {
	all := want()
	all[name] = rule
	return all
}

// less is the rules without one.
func less(names ...string) grpcauth.Rules {
	all := want()
	for _, name := range names {
		delete(all, name)
	}
	return all
}

// TestHoles: each is found, and nothing else is reported.
func TestHoles(t *testing.T) {
	public := func(names ...string) grpcauth.Config { return grpcauth.Config{Public: names} }
	gate := func(name string, g httpauth.Gate) api {
		return api{rules: less(name), config: grpcauth.Config{Gates: map[string]httpauth.Gate{name: g}}}
	}
	only := func(n int) func(*grpcauth.Auth) []grpc.ServerOption {
		return func(auth *grpcauth.Auth) []grpc.ServerOption { return auth.ServerOptions()[n : n+1] }
	}
	read := scopes.All("orders:read")
	for name, tc := range map[string]struct {
		api     api
		want    grpcauth.Rules
		options []grpcguardtest.Option
		reports []string // how each begins
	}{
		"none":                    {},
		"health, as it should be": {api: api{config: public(check, every, follow), more: healthy}, options: []grpcguardtest.Option{grpcguardtest.Public(check, every, follow)}},
		"no interceptor": {api: api{options: func(*grpcauth.Auth) []grpc.ServerOption { return nil }},
			reports: []string{create + " is open", imports + " is open", list + " is open", watch + " is open"}},
		"none for streams": {api: api{options: only(0)}, reports: []string{imports + " is open", watch + " is open"}},
		"none for unary":   {api: api{options: only(1)}, reports: []string{create + " is open", list + " is open"}},
		"public by mistake": {api: api{rules: less(watch), config: public(watch)},
			reports: []string{watch + " is open"}},
		"optional by mistake":    {api: gate(list, httpauth.Gate{Rule: read, Optional: true}), reports: []string{list + " answers Unknown without a token"}},
		"optional, as meant":     {api: gate(list, httpauth.Gate{Rule: read, Optional: true}), options: []grpcguardtest.Option{grpcguardtest.Optional(list)}},
		"not optional":           {options: []grpcguardtest.Option{grpcguardtest.Optional(list)}, reports: []string{list + " is listed as Optional, and answers"}},
		"optional of nothing":    {options: []grpcguardtest.Option{grpcguardtest.Optional(check)}, reports: []string{check + ": there is no such method", check + " is listed as Optional, and is not in the test's Rules"}},
		"report-only by mistake": {api: gate(list, httpauth.Gate{Rule: read, DangerouslyReportOnly: true}), reports: []string{list + " is open"}},
		"report-only, as meant":  {api: gate(list, httpauth.Gate{Rule: read, DangerouslyReportOnly: true}), want: less(list), options: []grpcguardtest.Option{grpcguardtest.ReportOnly(list)}},
		"not public":             {want: less(list), options: []grpcguardtest.Option{grpcguardtest.Public(list)}, reports: []string{list + " is listed as Public or ReportOnly, and answers"}},
		"in two lists":           {options: []grpcguardtest.Option{grpcguardtest.Public(list)}, reports: []string{list + " is in 2 of"}},
		"a rule too weak":        {api: api{rules: but(imports, read)}, reports: []string{imports + ` answers OK to a token with the scopes ["orders:read"]`}},
		"a rule too strong":      {api: api{rules: but(list, scopes.All("orders:read", "orders:write"))}, reports: []string{list + " refuses a token with the scopes"}},
		"a rule of another name": {api: api{rules: but(list, scopes.Any("orders:read", "secret"))}}, // which nobody can see
		"any for all":            {api: api{rules: but(imports, scopes.Any("orders:read", "orders:write"))}, reports: []string{imports + " answers OK to a token"}},
		"one alternative less":   {api: api{rules: but(create, scopes.All("orders:admin"))}, reports: []string{create + " refuses a token with the scopes"}},
		"a scope that is needed": {api: api{rules: but(watch, scopes.All("hidden"))}, reports: []string{watch + " refuses a token with the scopes"}},
		"no rule":                {api: api{rules: less(list)}, want: less(list), reports: []string{list + " is in no list"}},
		"no rule, as meant":      {api: api{rules: less(list)}, want: but(list, scopes.Rule{})},
		"a rule for nobody":      {want: but(list, scopes.Rule{}), reports: []string{list + " answers Unknown to a token"}},
		"new, and nobody thought of it": {api: api{more: healthy},
			reports: []string{check + " is in no list", every + " is in no list", follow + " is in no list"}},
		"reflection left open": {
			api: api{config: public("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"), more: func(s *grpc.Server) { reflection.Register(s) }},
			reports: []string{
				"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo is open, and in no list",
				"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo is in no list",
			},
		},
		"no such method": {want: but("/orders.v1.Orders/Delete", read), reports: []string{"/orders.v1.Orders/Delete: there is no such method"}},
		"unknown services": {
			api: api{options: func(auth *grpcauth.Auth) []grpc.ServerOption {
				return []grpc.ServerOption{auth.ServerOptions()[0], grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return nil })}
			}},
			reports: []string{imports + " is open", watch + " is open", "a service that nobody registered"},
		},
		"unknown services, guarded": {api: api{options: func(auth *grpcauth.Auth) []grpc.ServerOption {
			return append(auth.ServerOptions(), grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return nil }))
		}}},
		"a policy": {api: gate(list, httpauth.GateThat(read, func(_ context.Context, token *validator.Token) error {
			if token.ClientID() != "known" {
				return errors.New("unknown")
			}
			return nil
		})), reports: []string{list + " answers PermissionDenied (ACCESS_DENIED) to a good token"}},
		"a policy, with claims": {api: gate(list, httpauth.GateThat(read, func(_ context.Context, token *validator.Token) error {
			if token.ClientID() != "known" {
				return errors.New("unknown")
			}
			return nil
		})), options: []grpcguardtest.Option{grpcguardtest.Claims(issuertest.Claims{ClientID: "known"})}},
		"another issuer": {api: api{foreign: true},
			reports: []string{create + " answers Unauthenticated", imports + " answers Unauthenticated", list + " answers Unauthenticated", watch + " answers Unauthenticated"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.want == nil {
				tc.want = want()
			}
			var got notes
			grpcguardtest.AllGuarded(&got, tc.api.build, tc.want, tc.options...)
			slices.Sort(got)
			slices.Sort(tc.reports)
			if len(got) != len(tc.reports) {
				t.Fatalf("%d reports, wanted %d: %s", len(got), len(tc.reports), strings.Join(got, "\n"))
			}
			for n, begins := range tc.reports {
				if !strings.HasPrefix(got[n], begins) {
					t.Errorf("%q, wanted %q", got[n], begins)
				}
			}
		})
	}
}

// TestNothingToAsk is no test.
func TestNothingToAsk(t *testing.T) {
	for want, app := range map[string]grpcguardtest.App{
		"App.Server is nil":         {},
		"the server has no methods": {Server: grpc.NewServer()},
	} {
		var got notes
		grpcguardtest.AllGuarded(&got, func(string, string) grpcguardtest.App { return app }, nil)
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q, wanted %q", got, want)
		}
	}
}
