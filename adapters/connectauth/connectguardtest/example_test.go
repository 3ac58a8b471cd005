package connectguardtest_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/adapters/connectauth/connectguardtest"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// printer stands for the *testing.T of a test function.
type printer struct{}

func (printer) Helper()                           {}
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// newAPI is the server under test. Somebody forgot the rule of Watch.
func newAPI(issuer, audience string) connectguardtest.App {
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}}})
	if err != nil {
		log.Fatal(err)
	}
	auth := connectauth.New(v, connectauth.Rules{
		"/orders.v1.Orders/List":   scopes.All("orders:read"),
		"/orders.v1.Orders/Create": scopes.All("orders:write"),
	}, nil)
	mux := http.NewServeMux() // where generated code has New…Handler
	for _, path := range []string{"/orders.v1.Orders/List", "/orders.v1.Orders/Create"} {
		mux.Handle(path, connect.NewUnaryHandler(path, func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
			return connect.NewResponse(new(emptypb.Empty)), nil
		}))
	}
	return connectguardtest.App{Handler: auth.Protect(mux), Services: []protoreflect.ServiceDescriptor{orders()}, Close: v.Close}
}

func ExampleAllGuarded() {
	var t printer
	connectguardtest.AllGuarded(t, newAPI, connectauth.Rules{
		"/orders.v1.Orders/List":   scopes.All("orders:read"),
		"/orders.v1.Orders/Create": scopes.All("orders:write"),
	})
	// Output:
	// connectguardtest: /orders.v1.Orders/Watch is in no list, wanted its rule in the test's Rules, one that lets nobody in (scopes.Rule{}) if that is meant, or Public
}
