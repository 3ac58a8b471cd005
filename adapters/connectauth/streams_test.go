package connectauth_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/internal/trials/conformance"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const watch = "/orders.v1.Orders/Watch"

// revocable is a validator with a list that is up to date, and what revokes a client.
func revocable(t testing.TB, iss *issuertest.Issuer) (v *validator.Validator, block func(client string)) {
	t.Helper()
	list, err := revocation.New(revocation.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(list.Close)
	list.Current(time.Now())
	v = newValidator(t, iss, func(c *validator.Config) {
		c.Revocations = list
		c.Issuers[0].Keys = &jwks.Config{HTTPClient: iss.Client()}
	})
	return v, func(client string) {
		record, err := list.Record(revocation.Block(revocation.Client(iss.URL(), client)), 1)
		if err == nil {
			err = list.Merge(record)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// behaviour is what a stream's handler does after its first message.
type behaviour func(ctx context.Context, s *connect.BidiStream[emptypb.Empty, wrapperspb.StringValue]) error

var behaviours = map[string]behaviour{
	"waits for its context": func(ctx context.Context, _ *connect.BidiStream[emptypb.Empty, wrapperspb.StringValue]) error {
		<-ctx.Done()
		return ctx.Err()
	},
	"waits for its client": func(_ context.Context, s *connect.BidiStream[emptypb.Empty, wrapperspb.StringValue]) error {
		_, err := s.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	},
	"goes on sending": func(_ context.Context, s *connect.BidiStream[emptypb.Empty, wrapperspb.StringValue]) error {
		for {
			if err := s.Send(wrapperspb.String("more")); err != nil {
				return err
			}
		}
	},
}

// TestStreamsEndWithTheirToken: in each protocol, whatever the handler waits for; its client
// learns why, and those of others go on.
func TestStreamsEndWithTheirToken(t *testing.T) {
	for _, p := range protocols[4:] {
		for name, behave := range behaviours {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				iss := issuertest.New(t)
				v, block := revocable(t, iss)
				auth := connectauth.New(v, connectauth.Rules{watch: readRule}, nil)
				ended := make(chan error, 2)
				server := httptest.NewUnstartedServer(auth.Protect(connect.NewBidiStreamHandler(watch, func(ctx context.Context, s *connect.BidiStream[emptypb.Empty, wrapperspb.StringValue]) error {
					if err := s.Send(wrapperspb.String("first")); err != nil {
						return err
					}
					err := behave(ctx, s)
					<-ctx.Done()
					ended <- context.Cause(ctx)
					return err
				})))
				server.EnableHTTP2 = true
				server.Config.ErrorLog = log.New(complaint{t}, "", 0)
				server.StartTLS()
				t.Cleanup(server.Close)
				client := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](server.Client(), server.URL+watch, p.options...)
				open := func(ctx context.Context, name string) *connect.BidiStreamForClient[emptypb.Empty, wrapperspb.StringValue] {
					s := client.CallBidiStream(ctx)
					s.RequestHeader().Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{ClientID: name, Scope: "orders:read"}))
					if err := s.Send(nil); err != nil {
						t.Fatal(err)
					}
					if m, err := s.Receive(); err != nil || m.GetValue() != "first" {
						t.Fatal(m, err)
					}
					return s
				}
				other, cancel := context.WithCancel(t.Context())
				bad, good := open(t.Context(), "compromised"), open(other, "good")
				if n := v.Stats().Streams; n != 2 {
					t.Errorf("%d streams are open, wanted 2", n)
				}
				block("compromised")
				var err error
				for err == nil {
					_, err = bad.Receive()
				}
				answer := read(t, err)
				answer.Challenge = "" // which has no place in gRPC's trailers
				if want := (conformance.Answer{Code: 16, Error: "invalid_token", Sentence: "The access token was revoked."}); answer != want {
					t.Errorf("the client got %+v, wanted %+v", answer, want)
				}
				if cause, ok := errors.AsType[*validator.Error](<-ended); !ok || cause.Check() != validator.CheckRevoked {
					t.Errorf("the handler's context ended with %v", cause)
				}
				if n := v.Stats().Streams; n != 1 || len(ended) > 0 {
					t.Errorf("%d streams are open, wanted 1", n)
				}
				cancel()
				_ = good.CloseResponse()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("a client that went: %v", err)
				}
				_ = bad.CloseRequest()
				_ = bad.CloseResponse()
			})
		}
	}
}

// complaint is the log of a server that has nothing to say.
type complaint struct{ t *testing.T }

func (c complaint) Write(p []byte) (int, error) {
	c.t.Errorf("the server says %s", p)
	return len(p), nil
}

// TestHTTP1UploadsEnd: a handler that waits for its client's next message over HTTP/1.1
// waits no longer, whatever the client does.
func TestHTTP1UploadsEnd(t *testing.T) {
	iss := issuertest.New(t)
	v, block := revocable(t, iss)
	auth := connectauth.New(v, connectauth.Rules{watch: readRule}, nil)
	begun, ended := make(chan struct{}), make(chan error, 1)
	server := httptest.NewServer(auth.Protect(connect.NewClientStreamHandler(watch, func(_ context.Context, s *connect.ClientStream[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
		s.Receive()
		close(begun)
		s.Receive()
		ended <- s.Err()
		return nil, s.Err()
	})))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	token := iss.Token(issuertest.Claims{ClientID: "c", Scope: "orders:read"})
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/connect+proto\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%s\r\n", watch, token, frame("")); err != nil {
		t.Fatal(err)
	}
	<-begun
	block("c")
	if err := <-ended; err == nil {
		t.Error("the upload ended as it should have, without its end")
	}
	if text, err := io.ReadAll(conn); err != nil || !strings.Contains(string(text), "was revoked") {
		t.Errorf("the client got %q, %v", text, err)
	}
}

// TestHTTP1StreamsEnd: over HTTP/1.1 too, begun or not, and what comes next on the
// connection is answered.
func TestHTTP1StreamsEnd(t *testing.T) {
	for _, begun := range []bool{false, true} {
		iss := issuertest.New(t)
		v, block := revocable(t, iss)
		auth := connectauth.New(v, connectauth.Rules{watch: readRule}, nil)
		running := make(chan struct{}, 1)
		server := httptest.NewServer(auth.Protect(connect.NewServerStreamHandler(watch, func(ctx context.Context, _ *connect.Request[emptypb.Empty], s *connect.ServerStream[wrapperspb.StringValue]) error {
			if begun {
				_ = s.Send(wrapperspb.String("first"))
			}
			running <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})))
		client := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](server.Client(), server.URL+watch)
		for _, name := range []string{"one", "two", "three"} {
			request := connect.NewRequest(new(emptypb.Empty))
			request.Header().Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{ClientID: name, Scope: "orders:read"}))
			go func() {
				<-running
				block(name)
			}()
			s, err := client.CallServerStream(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if s.Receive() != begun || begun && s.Receive() {
				t.Errorf("begun %v: another number of messages came", begun)
			}
			if answer := read(t, s.Err()); answer.Sentence != "The access token was revoked." || !strings.HasPrefix(answer.Challenge, `Bearer realm="api", error="invalid_token"`) {
				t.Errorf("begun %v: got %+v", begun, answer)
			}
			_ = s.Close()
		}
		server.Close()
	}
}

// raw asks auth for a stream of Connect's whose handler is handler, within a synctest
// bubble, and returns what was written and what it panicked with.
func raw(t *testing.T, w http.ResponseWriter, auth *connectauth.Auth, token string, handler http.HandlerFunc) (panicked any) {
	t.Helper()
	r := httptest.NewRequest("POST", watch, http.NoBody)
	r.Header.Set("Content-Type", "application/connect+json")
	r.Header.Set("Authorization", "Bearer "+token)
	defer func() { panicked = recover() }()
	auth.Protect(handler).ServeHTTP(w, r)
	return nil
}

func bubble(t *testing.T, test func(t *testing.T, auth *connectauth.Auth, token string, block func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v, block := revocable(t, iss)
		test(t, connectauth.New(v, connectauth.Rules{watch: readRule}, nil), iss.Token(issuertest.Claims{ClientID: "c", Scope: "orders:read", ExpiresIn: time.Minute}), func() { block("c") })
	})
}

// frame is a message of a stream.
func frame(text string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
}

// TestExpiry ends a stream, and one that has said nothing yet.
func TestExpiry(t *testing.T) {
	for _, begun := range []bool{false, true} {
		bubble(t, func(t *testing.T, auth *connectauth.Auth, token string, _ func()) {
			w := httptest.NewRecorder()
			if p := raw(t, w, auth, token, func(w http.ResponseWriter, r *http.Request) {
				if begun {
					w.Header().Set("Content-Type", "application/connect+json")
					_, _ = w.Write(frame("{}"))
				}
				<-r.Context().Done()
			}); p != nil {
				t.Error(p)
			}
			body := w.Body.String()
			if begun {
				body = strings.TrimPrefix(body, string(frame("{}")))
			}
			if !strings.HasPrefix(body, "\x02") || !strings.Contains(body, "The access token has expired.") || !strings.Contains(body, `"code":"unauthenticated"`) {
				t.Errorf("%q", w.Body)
			}
		})
	}
}

// TestHalfAMessage: a message under way may end, within a second; what does not is cut.
func TestHalfAMessage(t *testing.T) {
	for _, ends := range []bool{true, false} {
		bubble(t, func(t *testing.T, auth *connectauth.Auth, token string, block func()) {
			w := httptest.NewRecorder()
			late := make(chan error, 1)
			panicked := raw(t, w, auth, token, func(w http.ResponseWriter, r *http.Request) {
				text := frame(`{"a":1}`)
				_, _ = w.Write(text[:7])
				go block()
				if ends {
					<-time.After(500 * time.Millisecond)
				} else {
					<-r.Context().Done()
					<-time.After(time.Minute)
				}
				_, _ = w.Write(text[7:8])
				_, err := w.Write(append(text[8:], frame("of nobody's")...))
				late <- err
			})
			if err := <-late; err == nil {
				t.Error("what was written after the end came through")
			}
			if ends != (panicked == nil) || !ends && panicked != http.ErrAbortHandler {
				t.Errorf("ends %v: %v", ends, panicked)
			}
			if told := strings.Contains(w.Body.String(), "was revoked"); told != ends || ends && !strings.HasPrefix(w.Body.String(), string(frame(`{"a":1}`))+"\x02") || strings.Contains(w.Body.String(), "nobody") {
				t.Errorf("ends %v: %q", ends, w.Body)
			}
		})
	}
}

// stuck is a client that reads nothing: a write lasts until its deadline.
type stuck struct {
	*httptest.ResponseRecorder
	once     sync.Once
	deadline time.Time
	over     chan struct{}
}

func (s *stuck) SetWriteDeadline(at time.Time) error {
	s.once.Do(func() {
		s.deadline = at
		close(s.over)
	})
	return nil
}

func (s *stuck) Write([]byte) (int, error) {
	<-s.over
	return 0, os.ErrDeadlineExceeded
}

// TestClientThatReadsNothing holds nobody for longer than a second, and is cut.
func TestClientThatReadsNothing(t *testing.T) {
	iss := issuertest.New(t)
	v, block := revocable(t, iss)
	auth := connectauth.New(v, connectauth.Rules{watch: readRule}, nil)
	w := &stuck{ResponseRecorder: httptest.NewRecorder(), over: make(chan struct{})}
	began := time.Now()
	panicked := raw(t, w, auth, iss.Token(issuertest.Claims{ClientID: "c", Scope: "orders:read"}), func(w http.ResponseWriter, r *http.Request) {
		go block("c")
		_, err := w.Write(frame("{}"))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the write ended with %v", err)
		}
		<-r.Context().Done()
	})
	if panicked != http.ErrAbortHandler {
		t.Errorf("got %v", panicked)
	}
	if <-w.over; w.deadline.Before(began) || w.deadline.After(time.Now().Add(time.Second)) {
		t.Errorf("the deadline is %v after the begin", w.deadline.Sub(began))
	}
}

// TestPanics of a handler go up as they are; after the end, they end nothing.
func TestPanics(t *testing.T) {
	bubble(t, func(t *testing.T, auth *connectauth.Auth, token string, block func()) {
		if p := raw(t, httptest.NewRecorder(), auth, token, func(http.ResponseWriter, *http.Request) { panic("the handler's own") }); p != "the handler's own" {
			t.Errorf("got %v", p)
		}
		if p := raw(t, httptest.NewRecorder(), auth, token, func(http.ResponseWriter, *http.Request) { runtime.Goexit() }); p != http.ErrAbortHandler {
			t.Errorf("a handler that ended its goroutine: %v", p)
		}
		w := httptest.NewRecorder()
		if p := raw(t, w, auth, token, func(_ http.ResponseWriter, r *http.Request) {
			go block()
			<-r.Context().Done()
			panic("too late")
		}); p != nil || !strings.Contains(w.Body.String(), "was revoked") {
			t.Errorf("got %v, %s", p, w.Body)
		}
		synctest.Wait()
	})
}

// TestHeadersAndTrailersOfHandlers come through the gate of a stream as they are.
func TestHeadersAndTrailersOfHandlers(t *testing.T) {
	bubble(t, func(t *testing.T, auth *connectauth.Auth, token string, _ func()) {
		w := httptest.NewRecorder()
		_ = raw(t, w, auth, token, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "B")
			w.Header().Set("A", "1")
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("B", "2")
			w.Header().Set(http.TrailerPrefix+"C", "3")
		})
		result := w.Result()
		if result.StatusCode != http.StatusTeapot || result.Header.Get("A") != "1" || result.Trailer.Get("B") != "2" || result.Trailer.Get("C") != "3" {
			t.Errorf("%d %v %v", result.StatusCode, result.Header, result.Trailer)
		}
	})
}

// register links the descriptor of a service into this program, as generated code does.
var register = sync.OnceValue(func() error {
	method := func(name string, stream bool) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{Name: proto.String(name), InputType: proto.String(".google.protobuf.Empty"), OutputType: proto.String(".google.protobuf.StringValue"), ServerStreaming: proto.Bool(stream)}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("connectauth/test.proto"), Package: proto.String("connectauth.test"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/empty.proto", "google/protobuf/wrappers.proto"},
		Service:    []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Known"), Method: []*descriptorpb.MethodDescriptorProto{method("Unary", false), method("Streams", true)}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		return err
	}
	return protoregistry.GlobalFiles.RegisterFile(file)
})

// TestDescriptorsTellStreams: what a linked descriptor calls unary is no stream, in gRPC
// either, and what has none may be one.
func TestDescriptorsTellStreams(t *testing.T) {
	const known, streams, unknown = "/connectauth.test.Known/Unary", "/connectauth.test.Known/Streams", "/connectauth.test.Other/Unary"
	if err := register(); err != nil {
		t.Fatal(err)
	}
	iss := issuertest.New(t)
	v := newValidator(t, iss)
	gate := httpauth.Gate{Rule: readRule, Live: true}
	auth := connectauth.New(v, connectauth.Rules{known: readRule, streams: readRule, unknown: readRule}, &connectauth.Config{Gates: map[string]httpauth.Gate{"/connectauth.test.Known/Lasts": gate}})
	for _, tc := range []struct {
		path, kind string
		streams    int
	}{
		{known, "application/grpc", 0}, {known, "application/grpc-web+proto", 0}, {known, "application/json", 0},
		{streams, "application/grpc", 1}, {streams, "application/grpc-web", 1}, {streams, "application/connect+proto; charset=utf-8", 1},
		{unknown, "application/GRPC+proto", 1}, {unknown, "application/proto", 0},
		{"/connectauth.test.Known/Lasts", "application/json", 1},
	} {
		got := -1
		r := httptest.NewRequest("POST", tc.path, http.NoBody).WithContext(t.Context())
		r.Header.Set("Content-Type", tc.kind)
		r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
		ctx, cancel := context.WithCancel(r.Context())
		auth.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got = int(v.Stats().Streams) })).ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
		cancel()
		if got != tc.streams {
			t.Errorf("%s, %s: %d streams, wanted %d", tc.path, tc.kind, got, tc.streams)
		}
		for v.Stats().Streams > 0 {
			<-ctx.Done() // what ended with it is forgotten at once
		}
	}
}
