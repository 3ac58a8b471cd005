package main

import (
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/grpcguardtest"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
)

// TestRun: the program does what it says.
func TestRun(t *testing.T) {
	if err := run(); err != nil {
		t.Error(err)
	}
}

// TestAllGuarded holds the options of the .proto file against what somebody wrote down.
func TestAllGuarded(t *testing.T) {
	grpcguardtest.AllGuarded(t, func(issuer, _ string) grpcguardtest.App {
		revoked, err := revocation.New(revocation.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(revoked.Close)
		revoked.Current(time.Now())
		v, err := newValidator(issuer, revoked)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newServer(v)
		if err != nil {
			t.Fatal(err)
		}
		return grpcguardtest.App{Server: s, Close: v.Close}
	}, grpcauth.Rules{
		ordersv1.Orders_List_FullMethodName:   scopes.All("orders:read"),
		ordersv1.Orders_Watch_FullMethodName:  scopes.All("orders:read"),
		ordersv1.Orders_Create_FullMethodName: scopes.All("orders:write"),
		ordersv1.Orders_Import_FullMethodName: scopes.All("orders:read", "orders:write"),
		"/grpc.health.v1.Health/List":         {},
		"/grpc.health.v1.Health/Watch":        {},
	}, grpcguardtest.Public("/grpc.health.v1.Health/Check"))
}
