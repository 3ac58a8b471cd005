package main

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestProgram runs the server as main does, and asks it in each protocol.
func TestProgram(t *testing.T) {
	iss := issuertest.New(t)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, newServer(routes(v)), listener, time.Minute) }()

	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	client, base := &http.Client{Transport: transport}, "http://"+listener.Addr().String()
	response, err := client.Get(base + "/ready")
	if err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
	for name, options := range map[string][]connect.ClientOption{"Connect": nil, "gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()}} {
		for _, tc := range []struct {
			token string
			code  connect.Code // 0 for who is let in
		}{
			{iss.Token(issuertest.Claims{Scope: "orders:read"}), 0},
			{iss.Token(issuertest.Claims{Scope: "invoices:read"}), connect.CodePermissionDenied},
			{iss.Bad(issuertest.Expired, issuertest.Claims{Scope: "orders:read"}), connect.CodeUnauthenticated},
		} {
			unary, streams := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](client, base+list, options...), connect.NewClient[emptypb.Empty, wrapperspb.StringValue](client, base+watch, options...)
			request := connect.NewRequest(new(emptypb.Empty))
			request.Header().Set("Authorization", "Bearer "+tc.token)
			answer, err := unary.CallUnary(t.Context(), request)
			if code := codeOf(err); code != tc.code || err == nil && answer.Msg.GetValue() != "orders of "+issuertest.ClientID {
				t.Errorf("%s: %v %v, wanted code %v", name, answer, err, tc.code)
			}
			request = connect.NewRequest(new(emptypb.Empty))
			request.Header().Set("Authorization", "Bearer "+tc.token)
			within, cancel := context.WithCancel(t.Context())
			stream, err := streams.CallServerStream(within, request)
			if err != nil {
				t.Fatal(err)
			}
			if got := stream.Receive(); got != (tc.code == 0) || codeOf(stream.Err()) != tc.code {
				t.Errorf("%s, stream: %v %v, wanted code %v", name, got, stream.Err(), tc.code)
			}
			cancel()
			_ = stream.Close()
		}
	}
	transport.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func codeOf(err error) connect.Code {
	if err == nil {
		return 0
	}
	return connect.CodeOf(err)
}
