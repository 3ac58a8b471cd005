package grpcauth_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // DangerouslyReportOnly warns, as it should
	goleak.VerifyTestMain(m)
}

// The methods of orders.v1.Orders.
const (
	list    = ordersv1.Orders_List_FullMethodName   // unary
	create  = ordersv1.Orders_Create_FullMethodName // unary
	watch   = ordersv1.Orders_Watch_FullMethodName  // server streams
	imports = ordersv1.Orders_Import_FullMethodName // client streams
)

// rules are those of most tests.
var rules = grpcauth.Rules{
	list: scopes.All("orders:read"), watch: scopes.All("orders:read"),
	create: scopes.Any("orders:admin", "orders:write"), imports: scopes.All("orders:read", "orders:write"),
}

// orders is the API under test. It says whose token it got.
type orders struct {
	ordersv1.UnimplementedOrdersServer
	called func(ctx context.Context) error // by unary methods, if not nil
	serve  func(grpc.ServerStream) error   // streams, if not nil
}

// whose is the client that a context's token names.
func whose(ctx context.Context) string {
	if token := validator.FromContext(ctx); token != nil {
		return token.ClientID()
	}
	return "nobody"
}

func (o *orders) List(ctx context.Context, _ *ordersv1.Filter) (*ordersv1.OrderList, error) {
	if o.called != nil {
		if err := o.called(ctx); err != nil {
			return nil, err
		}
	}
	return &ordersv1.OrderList{Orders: []*ordersv1.Order{{Id: whose(ctx)}}}, nil
}

func (o *orders) Create(ctx context.Context, _ *ordersv1.Order) (*ordersv1.Order, error) {
	return &ordersv1.Order{Id: whose(ctx)}, nil
}

func (o *orders) Watch(_ *ordersv1.Filter, stream grpc.ServerStreamingServer[ordersv1.Order]) error {
	if o.serve != nil {
		return o.serve(stream)
	}
	return stream.Send(&ordersv1.Order{Id: whose(stream.Context())})
}

func (o *orders) Import(stream grpc.ClientStreamingServer[ordersv1.Order, ordersv1.OrderList]) error {
	if o.serve != nil {
		return o.serve(stream)
	}
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return stream.SendAndClose(&ordersv1.OrderList{Orders: []*ordersv1.Order{{Id: whose(stream.Context())}}})
		} else if err != nil {
			return err
		}
	}
}

// newValidator is one of iss that ends with the test, with changes.
func newValidator(t testing.TB, iss *issuertest.Issuer, changes ...func(*validator.Config)) *validator.Validator {
	t.Helper()
	c := validator.Config{
		Issuers: []validator.Issuer{{
			URL: iss.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{HTTPClient: iss.Client()},
		}},
		Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}},
	}
	for _, change := range changes {
		change(&c)
	}
	v, err := validator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// dial serves a server over a connection in memory, until the test ends.
func dial(t testing.TB, s *grpc.Server) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(s.Stop)
	return connect(t, func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })
}

func connect(t testing.TB, dialer func(context.Context, string) (net.Conn, error)) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///api", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dialer))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

// newAPI serves orders behind auth.
func newAPI(t testing.TB, auth *grpcauth.Auth, o *orders, options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	s := grpc.NewServer(append(auth.ServerOptions(), options...)...)
	ordersv1.RegisterOrdersServer(s, cmp.Or(o, new(orders)))
	return dial(t, s)
}

// reply is how a call was answered.
type reply struct {
	Code      codes.Code
	Message   string            // the handler's, of a call that was let in
	Reason    string            // of the ErrorInfo
	Info      map[string]string // its metadata
	Challenge []string
	Nonce     []string
	Retry     time.Duration
}

// ask calls a method with metadata, and wants what is said about a refusal to be said
// once.
func ask(t testing.TB, cc *grpc.ClientConn, method string, md metadata.MD) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(context.Background(), md), time.Minute)
	defer cancel()
	var header, trailer metadata.MD
	var id string
	var err error
	switch method {
	case watch:
		var stream grpc.ServerStreamingClient[ordersv1.Order]
		if stream, err = ordersv1.NewOrdersClient(cc).Watch(ctx, &ordersv1.Filter{}); err != nil {
			break
		}
		var order *ordersv1.Order
		if order, err = stream.Recv(); err == nil {
			id = order.Id
			_, _ = stream.Recv()
		}
		header, _ = stream.Header()
		trailer = stream.Trailer()
	case imports:
		var stream grpc.ClientStreamingClient[ordersv1.Order, ordersv1.OrderList]
		if stream, err = ordersv1.NewOrdersClient(cc).Import(ctx); err != nil {
			break
		}
		var all *ordersv1.OrderList
		if all, err = stream.CloseAndRecv(); err == nil {
			id = all.Orders[0].Id
		}
		header, _ = stream.Header()
		trailer = stream.Trailer()
	case list:
		var all *ordersv1.OrderList
		if all, err = ordersv1.NewOrdersClient(cc).List(ctx, &ordersv1.Filter{}, grpc.Header(&header), grpc.Trailer(&trailer)); err == nil {
			id = all.Orders[0].Id
		}
	default:
		var order ordersv1.Order
		if err = cc.Invoke(ctx, method, &ordersv1.Order{}, &order, grpc.Header(&header), grpc.Trailer(&trailer)); err == nil {
			id = order.Id
		}
	}
	return read(t, err, header, trailer, id)
}

func read(t testing.TB, err error, header, trailer metadata.MD, id string) reply {
	t.Helper()
	st := status.Convert(err)
	r := reply{Code: st.Code(), Message: id}
	if err != nil {
		r.Message = st.Message()
	}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.Domain != grpcauth.Domain || r.Reason != "" {
				t.Errorf("the details hold %v", d)
			}
			r.Reason, r.Info = d.Reason, d.Metadata
		case *errdetails.RetryInfo:
			r.Retry = d.RetryDelay.AsDuration()
		}
	}
	r.Challenge = append(header.Get("www-authenticate"), trailer.Get("www-authenticate")...)
	r.Nonce = append(header.Get("dpop-nonce"), trailer.Get("dpop-nonce")...)
	for _, text := range append([]string{st.String()}, append(r.Challenge, r.Nonce...)...) {
		if strings.Contains(text, "eyJ") {
			t.Errorf("an answer holds a token: %s", text)
		}
	}
	return r
}

// bearer is metadata with a token.
func bearer(token string) metadata.MD { return metadata.Pairs("authorization", "Bearer "+token) }

// The answers of several tests.
func challenge(code, description string) []string {
	return []string{`Bearer realm="api", error="` + code + `", error_description="` + description + `"`}
}

func invalidToken(description string) reply {
	return reply{Code: codes.Unauthenticated, Reason: "INVALID_TOKEN", Message: description, Challenge: challenge("invalid_token", description)}
}

func insufficientScope(needs string) reply {
	const description = "The access token lacks a scope that this request needs."
	r := reply{Code: codes.PermissionDenied, Reason: "INSUFFICIENT_SCOPE", Message: description, Challenge: challenge("insufficient_scope", description)}
	if needs != "" {
		r.Challenge[0] += `, scope="` + needs + `"`
		r.Info = map[string]string{"scope": needs}
	}
	return r
}

var (
	unauthorized = reply{
		Code: codes.Unauthenticated, Reason: "UNAUTHORIZED", Message: "No access token was sent.", Challenge: []string{`Bearer realm="api"`},
	}
	badRequest = reply{
		Code: codes.InvalidArgument, Reason: "INVALID_REQUEST",
		Message:   "The request must carry exactly one well-formed bearer token, in the Authorization header.",
		Challenge: challenge("invalid_request", "The request must carry exactly one well-formed bearer token, in the Authorization header."),
	}
	unavailable = reply{
		Code: codes.Unavailable, Reason: "TEMPORARILY_UNAVAILABLE", Message: "The access token cannot be checked right now.",
	}
	denied = reply{
		Code: codes.PermissionDenied, Reason: "ACCESS_DENIED", Message: "This API does not let the client of the access token do this.",
	}
)

func letIn(client string) reply { return reply{Message: client} }
