package connectauth_test

import (
	"context"
	"net/http"
	"testing"

	connectv2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/internal/trials/conformance"
)

// TestConformanceOfVersion2: handlers of connect-go's version 2 stand behind the same gate.
func TestConformanceOfVersion2(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			conformance.Run(t, version2{driver{p, func(s *conformance.Setup) http.Handler { return guardedV2(s, p.stream) }}})
		})
	}
}

// version2 is a driver without Deny, whose errors are version 1's.
type version2 struct{ driver }

func (d version2) Can(q *conformance.Request) bool {
	return q.Route.Gate != conformance.Deny && d.driver.Can(q)
}

func guardedV2(s *conformance.Setup, stream bool) http.Handler {
	server, mux := connectv2.NewServer(), http.NewServeMux()
	for _, route := range s.Routes {
		spec := connectv2.Spec{Procedure: route.Procedure(), IdempotencyLevel: connectv2.IdempotencyNoSideEffects}
		if stream {
			spec.StreamType = connectv2.StreamTypeServer
		}
		server.Register(connectv2.Method{Spec: spec, Handler: func(ctx context.Context, _ connectv2.Spec, out connectv2.ServerStream) error {
			if err := out.Receive(new(emptypb.Empty)); err != nil {
				return err
			}
			return out.Send(wrapperspb.String(conformance.Said(ctx)))
		}})
	}
	connecthttp.Mount(mux, server)
	return gate(s).Protect(mux)
}
