package connectauth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/internal/trials/conformance"
	"github.com/m2mguard/m2mguard/validator"
)

// spoken is a protocol as a client of connect-go speaks it.
type spoken struct {
	name    string
	options []connect.ClientOption
	method  string // of HTTP
	stream  bool
}

var protocols = []spoken{
	{"Connect", nil, "POST", false},
	{"Connect by GET", []connect.ClientOption{connect.WithHTTPGet()}, "GET", false},
	{"gRPC", []connect.ClientOption{connect.WithGRPC()}, "POST", false},
	{"gRPC-Web", []connect.ClientOption{connect.WithGRPCWeb()}, "POST", false},
	{"Connect, streams", nil, "POST", true},
	{"gRPC, streams", []connect.ClientOption{connect.WithGRPC()}, "POST", true},
	{"gRPC-Web, streams", []connect.ClientOption{connect.WithGRPCWeb()}, "POST", true},
}

// TestConformance: each protocol gives the verdicts and reasons of all adapters, unary
// and in streams.
func TestConformance(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			conformance.Run(t, driver{p, func(s *conformance.Setup) http.Handler { return guarded(s, p.stream) }})
		})
	}
}

type driver struct {
	spoken
	serve func(*conformance.Setup) http.Handler
}

// Can leaves out what is HTTP's own, groups, and a rule for nobody, which New refuses: what
// a procedure in no list answers is TestUnlisted's.
func (driver) Can(q *conformance.Request) bool {
	forNobody := q.Route.Name == "nobody" || q.Route.Name == "none"
	return q.Method == "" && q.Query == "" && q.Form == "" && q.Route.Group == nil && !forNobody
}

func (d driver) Serve(t testing.TB, s *conformance.Setup) conformance.API {
	server := httptest.NewUnstartedServer(d.serve(s))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	return &api{d.spoken, server, s.PublicURL}
}

// gate is that of an API with the routes of the list.
func gate(s *conformance.Setup) *connectauth.Auth {
	rules, cfg := make(connectauth.Rules), connectauth.Config{Gates: make(map[string]httpauth.Gate)}
	if s.PublicURL != "" {
		cfg.HTTP.PublicURL = []string{s.PublicURL}
	}
	for _, route := range s.Routes {
		switch {
		case route.Name == "nobody" || route.Name == "none":
		case route.Gate == conformance.Require:
			rules[route.Procedure()] = route.Rule
		default:
			cfg.Gates[route.Procedure()] = route.HTTPGate(route.Rule)
		}
	}
	return connectauth.New(s.Validator, rules, &cfg)
}

// guarded is an API with the routes of the list.
func guarded(s *conformance.Setup, stream bool) http.Handler {
	auth, mux := gate(s), http.NewServeMux()
	for _, route := range s.Routes {
		said := func(ctx context.Context) (*wrapperspb.StringValue, error) {
			if route.Gate == conformance.Deny {
				if err := conformance.Decide(ctx, validator.FromContext(ctx)); err != nil {
					return nil, auth.Deny(ctx, err)
				}
			}
			return wrapperspb.String(conformance.Said(ctx)), nil
		}
		mux.Handle(route.Procedure(), handler(route.Procedure(), stream, said))
	}
	return auth.Protect(mux)
}

func handler(procedure string, stream bool, said func(context.Context) (*wrapperspb.StringValue, error)) http.Handler {
	if stream {
		return connect.NewServerStreamHandler(procedure, func(ctx context.Context, _ *connect.Request[emptypb.Empty], out *connect.ServerStream[wrapperspb.StringValue]) error {
			message, err := said(ctx)
			if err != nil {
				return err
			}
			return out.Send(message)
		})
	}
	return connect.NewUnaryHandler(procedure, func(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
		message, err := said(ctx)
		if err != nil {
			return nil, err
		}
		return connect.NewResponse(message), nil
	}, connect.WithIdempotency(connect.IdempotencyNoSideEffects))
}

type api struct {
	spoken
	server    *httptest.Server
	publicURL string
}

func (a *api) Target(q *conformance.Request) (method, url string) {
	return a.method, a.publicURL + q.Route.Procedure()
}

func (a *api) Ask(t testing.TB, q *conformance.Request) conformance.Answer {
	t.Helper()
	client := a.server.Client()
	if q.Certificate != nil {
		transport := client.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = []tls.Certificate{*q.Certificate}
		defer transport.CloseIdleConnections()
		client = &http.Client{Transport: transport}
	}
	options := append([]connect.ClientOption{connect.WithIdempotency(connect.IdempotencyNoSideEffects)}, a.options...)
	c := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](client, a.server.URL+q.Route.Procedure(), options...)
	request := connect.NewRequest(new(emptypb.Empty))
	request.Header()["Authorization"], request.Header()["Dpop"] = q.Authorization, q.Proofs
	if q.Authorization == nil {
		request.Header().Del("Authorization")
	}
	if !a.stream {
		response, err := c.CallUnary(t.Context(), request)
		if err != nil {
			return read(t, err)
		}
		return conformance.Answer{Said: response.Msg.GetValue(), Nonce: response.Header().Get("DPoP-Nonce")}
	}
	stream, err := c.CallServerStream(t.Context(), request)
	if err != nil {
		return read(t, err)
	}
	defer func() { _ = stream.Close() }()
	answer := conformance.Answer{}
	for stream.Receive() {
		answer.Said += stream.Msg().GetValue()
	}
	if err := stream.Err(); err != nil {
		return read(t, err)
	}
	answer.Nonce = stream.ResponseHeader().Get("DPoP-Nonce")
	return answer
}

// read is what an error of a client's holds.
func read(t testing.TB, err error) conformance.Answer {
	t.Helper()
	failed, ok := errors.AsType[*connect.Error](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	answer := conformance.Answer{
		Code: uint32(failed.Code()), Sentence: failed.Message(),
		Challenge: strings.Join(failed.Meta().Values("WWW-Authenticate"), "\n"),
		Nonce:     strings.Join(failed.Meta().Values("DPoP-Nonce"), "\n"),
	}
	for _, detail := range failed.Details() {
		message, err := detail.Value()
		if err != nil {
			t.Fatal(err)
		}
		switch m := message.(type) {
		case *errdetails.ErrorInfo:
			if m.GetDomain() != connectauth.Domain {
				t.Errorf("the domain is %q", m.GetDomain())
			}
			answer.Error = strings.ToLower(m.GetReason())
		case *errdetails.RetryInfo:
			answer.Retry = m.GetRetryDelay().AsDuration().Truncate(time.Nanosecond)
		}
	}
	return answer
}
