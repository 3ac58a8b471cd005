package grpcauth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/internal/trials/conformance"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestConformance: unary and streaming methods answer what every adapter answers, to a
// client in Go, over real connections.
func TestConformance(t *testing.T) {
	for name, streams := range map[string]bool{"unary": false, "streams": true} {
		t.Run(name, func(t *testing.T) { conformance.Run(t, conforms{streams: streams}) })
	}
}

// conforms serves each gate as a service, whose methods are unary or stream.
type conforms struct {
	streams bool
	// by is the client; nil for one in Go.
	by func(t testing.TB, address string, certificate *tls.Certificate) asker
}

// asker is a client of one server.
type asker func(t testing.TB, procedure string, md metadata.MD) conformance.Answer

// Can leaves out a rule for nobody, which New refuses: what a method without a rule answers
// is TestMethodsWithoutARule's.
func (conforms) Can(q *conformance.Request) bool {
	return q.Plain() && q.Route.Name != "nobody" && q.Route.Name != "none"
}

func (c conforms) Serve(t testing.TB, s *conformance.Setup) conformance.API {
	groups := &grpcauth.Config{PublicURL: s.PublicURL, Gates: make(map[string]httpauth.Gate)}
	own := &grpcauth.Config{PublicURL: s.PublicURL, Gates: make(map[string]httpauth.Gate)}
	for _, r := range s.Routes {
		switch {
		case r.Group != nil:
			groups.Gates[r.Procedure()] = r.HTTPGate(*r.Group)
		default:
			groups.Public = append(groups.Public, r.Procedure())
		}
		switch {
		case r.GroupAlone:
			own.Public = append(own.Public, r.Procedure())
		case r.Name != "nobody" && r.Name != "none":
			own.Gates[r.Procedure()] = r.HTTPGate(r.Rule)
		}
	}
	group, auth := grpcauth.New(s.Validator, nil, groups), grpcauth.New(s.Validator, nil, own)
	options := append(group.ServerOptions(), auth.ServerOptions()...)
	if s.Certificates {
		options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{issuertest.ClientCertificate("api")}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13,
		})))
	}
	server := grpc.NewServer(options...)
	services := make(map[string]*grpc.ServiceDesc)
	for _, r := range s.Routes {
		if services[r.Service()] == nil {
			services[r.Service()] = &grpc.ServiceDesc{ServiceName: r.Service()}
		}
		c.add(services[r.Service()], r, auth)
	}
	for _, service := range services {
		server.RegisterService(service, nil)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	if c.by == nil {
		c.by = inGo
	}
	return &conforming{c, t, s, listener.Addr().String(), make(map[*tls.Certificate]asker)}
}

// add gives a service the method of a route, which says what it knows of a token.
func (c conforms) add(service *grpc.ServiceDesc, r conformance.Route, auth *grpcauth.Auth) {
	say := func(ctx context.Context) (*wrapperspb.StringValue, error) {
		if r.Gate == conformance.Deny {
			if err := conformance.Decide(ctx, validator.FromContext(ctx)); err != nil {
				return nil, auth.Deny(ctx, err)
			}
		}
		return wrapperspb.String(conformance.Said(ctx)), nil
	}
	if c.streams {
		service.Streams = append(service.Streams, grpc.StreamDesc{
			StreamName: r.ProcedureName(), ClientStreams: true, ServerStreams: true,
			Handler: func(_ any, s grpc.ServerStream) error {
				said, err := say(s.Context())
				if err != nil {
					return err
				}
				return s.SendMsg(said)
			},
		})
		return
	}
	service.Methods = append(service.Methods, grpc.MethodDesc{
		MethodName: r.ProcedureName(),
		Handler: func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(new(emptypb.Empty)); err != nil {
				return nil, err
			}
			return interceptor(ctx, nil, &grpc.UnaryServerInfo{FullMethod: r.Procedure()}, func(ctx context.Context, _ any) (any, error) { return say(ctx) })
		},
	})
}

// conforming is a server, with a client for each certificate that one shows.
type conforming struct {
	conforms
	t       testing.TB // of all that is asked
	setup   *conformance.Setup
	address string
	clients map[*tls.Certificate]asker
}

func (c *conforming) Target(q *conformance.Request) (method, url string) {
	return "POST", c.setup.PublicURL + q.Route.Procedure()
}

func (c *conforming) Ask(t testing.TB, q *conformance.Request) conformance.Answer {
	t.Helper()
	ask, ok := c.clients[q.Certificate]
	if !ok {
		certificate := q.Certificate
		if certificate == nil && c.setup.Certificates {
			certificate = new(tls.Certificate) // TLS, and none
		}
		ask = c.by(c.t, c.address, certificate)
		c.clients[q.Certificate] = ask
	}
	return ask(t, q.Route.Procedure(), metadata.MD{"authorization": q.Authorization, "dpop": q.Proofs})
}

// inGo is a client in Go. Without a certificate it uses no TLS, with an empty one it shows
// none.
func inGo(t testing.TB, address string, certificate *tls.Certificate) asker {
	creds := insecure.NewCredentials()
	if certificate != nil {
		c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13} // of a loopback connection
		if certificate.Certificate != nil {
			c.Certificates = []tls.Certificate{*certificate}
		}
		creds = credentials.NewTLS(c)
	}
	cc, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return func(t testing.TB, procedure string, md metadata.MD) conformance.Answer {
		t.Helper()
		ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(context.Background(), md), time.Minute)
		defer cancel()
		stream, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, procedure)
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.SendMsg(new(emptypb.Empty)) // the server may have answered already
		_ = stream.CloseSend()
		var said wrapperspb.StringValue
		if err = stream.RecvMsg(&said); err == nil {
			if err = stream.RecvMsg(new(wrapperspb.StringValue)); errors.Is(err, io.EOF) {
				err = nil
			}
		}
		header, _ := stream.Header()
		got := read(t, err, header, stream.Trailer(), said.Value)
		answer := conformance.Answer{
			Code: uint32(got.Code), Error: strings.ToLower(got.Reason), Challenge: strings.Join(got.Challenge, "\n"),
			Nonce: strings.Join(got.Nonce, "\n"), Retry: got.Retry,
		}
		if err != nil {
			answer.Sentence = got.Message
		} else {
			answer.Said = got.Message
		}
		return answer
	}
}
