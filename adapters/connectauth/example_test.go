package connectauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// listOrders stands for a method of yours; generated code makes its handler.
func listOrders(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
	return connect.NewResponse(wrapperspb.String("orders for " + validator.FromContext(ctx).ClientID())), nil
}

func Example() {
	iss, err := issuertest.Start() // stands for your authorization server
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	auth := connectauth.New(v, connectauth.Rules{"/orders.v1.Orders/List": scopes.All("orders:read")}, nil)
	mux := http.NewServeMux()
	mux.Handle("/orders.v1.Orders/List", connect.NewUnaryHandler("/orders.v1.Orders/List", listOrders))
	server := httptest.NewServer(auth.Protect(mux))
	defer server.Close()

	client := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](server.Client(), server.URL+"/orders.v1.Orders/List")
	for _, scope := range []string{"orders:read", "orders:write"} {
		request := connect.NewRequest(new(emptypb.Empty))
		request.Header().Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: scope}))
		response, err := client.CallUnary(context.Background(), request)
		if refused, ok := errors.AsType[*connect.Error](err); ok {
			fmt.Println(refused)
			for _, detail := range refused.Details() {
				if value, err := detail.Value(); err == nil {
					info := value.(*errdetails.ErrorInfo)
					fmt.Println(info.GetDomain(), info.GetReason(), info.GetMetadata()["scope"])
				}
			}
			continue
		}
		fmt.Println(response.Msg.GetValue())
	}
	// Output:
	// orders for m2m-client
	// permission_denied: The access token lacks a scope that this request needs.
	// m2mguard INSUFFICIENT_SCOPE orders:read
}

// A tenant reads its own orders alone: the method knows whose they are.
func ExampleAuth_Deny() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
		URL: iss.URL(), Audience: []string{issuertest.Audience}, Profile: validator.Profile{TenantClaim: "tenant"},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	const get = "/orders.v1.Orders/Get"
	auth := connectauth.New(v, connectauth.Rules{get: scopes.All("orders:read")}, nil)
	server := httptest.NewServer(auth.Protect(connect.NewUnaryHandler(get, func(ctx context.Context, request *connect.Request[wrapperspb.StringValue]) (*connect.Response[emptypb.Empty], error) {
		if tenant := validator.FromContext(ctx).Tenant(); tenant != request.Msg.GetValue() {
			return nil, auth.Deny(ctx, fmt.Errorf("these are not the orders of tenant %q", tenant))
		}
		return connect.NewResponse(new(emptypb.Empty)), nil
	})))
	defer server.Close()

	client := connect.NewClient[wrapperspb.StringValue, emptypb.Empty](server.Client(), server.URL+get, connect.WithGRPCWeb())
	for _, tenant := range []string{"acme", "evil"} {
		request := connect.NewRequest(wrapperspb.String(tenant))
		request.Header().Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read", Extra: map[string]any{"tenant": "acme"}}))
		_, err := client.CallUnary(context.Background(), request)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// permission_denied: This API does not let the client of the access token do this.
}
