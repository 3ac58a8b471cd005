package grpcguardtest_test

import (
	"fmt"
	"log"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/grpcguardtest"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// printer stands for the *testing.T of a test function.
type printer struct{}

func (printer) Helper()                           {}
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// newAPI is the server under test. Somebody opened more of the health service than meant.
func newAPI(issuer, audience string) grpcguardtest.App {
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}}})
	if err != nil {
		log.Fatal(err)
	}
	auth := grpcauth.New(v, grpcauth.Rules{
		"/grpc.health.v1.Health/List": scopes.All("health:list"),
	}, &grpcauth.Config{Public: []string{"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}})
	s := grpc.NewServer(auth.ServerOptions()...)
	healthpb.RegisterHealthServer(s, health.NewServer())
	return grpcguardtest.App{Server: s, Close: v.Close}
}

func ExampleAllGuarded() {
	var t printer
	grpcguardtest.AllGuarded(t, newAPI, grpcauth.Rules{
		"/grpc.health.v1.Health/List":  scopes.All("health:list"),
		"/grpc.health.v1.Health/Watch": scopes.All("health:list"),
	}, grpcguardtest.Public("/grpc.health.v1.Health/Check"))
	// Output:
	// grpcguardtest: /grpc.health.v1.Health/Watch is open: OK without a token, OK with a bad one, wanted UNAUTHENTICATED: the server lacks one of Auth.ServerOptions, or it is public or report-only
}
