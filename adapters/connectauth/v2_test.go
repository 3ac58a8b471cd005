package connectauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	connectv2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/internal/trials/conformance"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestConformanceOfVersion2: handlers of connect-go's version 2 stand behind the same gate.
func TestConformanceOfVersion2(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			conformance.Run(t, driver{p, func(s *conformance.Setup) http.Handler { return guardedV2(s, p.stream) }})
		})
	}
}

func guardedV2(s *conformance.Setup, stream bool) http.Handler {
	auth, server, mux := gate(s), connectv2.NewServer(), http.NewServeMux()
	for _, route := range s.Routes {
		spec := connectv2.Spec{Procedure: route.Procedure(), IdempotencyLevel: connectv2.IdempotencyNoSideEffects}
		if stream {
			spec.StreamType = connectv2.StreamTypeServer
		}
		server.Register(connectv2.Method{Spec: spec, Handler: func(ctx context.Context, _ connectv2.Spec, out connectv2.ServerStream) error {
			if err := out.Receive(new(emptypb.Empty)); err != nil {
				return err
			}
			if route.Gate == conformance.Deny {
				if err := conformance.Decide(ctx, validator.FromContext(ctx)); err != nil {
					return auth.Deny(ctx, err)
				}
			}
			return out.Send(wrapperspb.String(conformance.Said(ctx)))
		}})
	}
	connecthttp.Mount(mux, server)
	return auth.Protect(mux)
}

// TestDeniedWithinAStream: what a stream has sent comes first, and its end says why, whatever
// its handler sends or says afterwards.
func TestDeniedWithinAStream(t *testing.T) {
	iss := issuertest.New(t)
	for _, p := range protocols[4:] {
		t.Run(p.name, func(t *testing.T) {
			v := newValidator(t, iss)
			auth := connectauth.New(v, connectauth.Rules{watch: readRule}, nil)
			server, mux := connectv2.NewServer(), http.NewServeMux()
			server.Register(connectv2.Method{Spec: connectv2.Spec{Procedure: watch, StreamType: connectv2.StreamTypeServer}, Handler: func(ctx context.Context, _ connectv2.Spec, out connectv2.ServerStream) error {
				if err := out.Receive(new(emptypb.Empty)); err != nil {
					return err
				}
				if err := out.Send(wrapperspb.String("first")); err != nil {
					return err
				}
				denied := auth.Deny(ctx, errors.New("another tenant's"))
				_ = out.Send(wrapperspb.String("second"))
				_ = denied // and is not returned
				return nil
			}})
			connecthttp.Mount(mux, server)
			api := httptest.NewUnstartedServer(auth.Protect(mux))
			api.EnableHTTP2 = true
			api.StartTLS()
			t.Cleanup(api.Close)
			request := connect.NewRequest(new(emptypb.Empty))
			request.Header().Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
			stream, err := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](api.Client(), api.URL+watch, p.options...).CallServerStream(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stream.Close() }()
			var got []string
			for stream.Receive() {
				got = append(got, stream.Msg().GetValue())
			}
			if len(got) != 1 || got[0] != "first" {
				t.Errorf("got %q, wanted what was sent before", got)
			}
			want := conformance.Answer{Code: 7, Error: "access_denied", Sentence: "This API does not let the client of the access token do this."}
			if answer := read(t, stream.Err()); answer != want {
				t.Errorf("the end is %+v, wanted %+v", answer, want)
			}
		})
	}
}
