package connectauth_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// upload is a request of a stream, with a body.
func upload(token, kind string, body io.Reader) *http.Request {
	r := httptest.NewRequest("POST", watch, body)
	r.Header.Set("Content-Type", "application/"+kind)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// TestNothingIsHandledAfterTheEnd: of three thousand messages that have come, a handler
// that does not look at its context gets none once its client has been refused.
func TestNothingIsHandledAfterTheEnd(t *testing.T) {
	for _, kind := range []string{"connect+proto", "grpc+proto", "grpc-web+proto"} {
		bubble(t, func(t *testing.T, auth *connectauth.Auth, token string, block func()) {
			handled, goOn, ended := 0, make(chan struct{}), make(chan error, 1)
			h := auth.Protect(connect.NewClientStreamHandler(watch, func(_ context.Context, s *connect.ClientStream[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
				for s.Receive() {
					if handled++; handled == 5 {
						block()
						<-goOn
					}
				}
				ended <- s.Err()
				return connect.NewResponse(wrapperspb.String("done")), nil
			}))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, upload(token, kind, bytes.NewReader(make([]byte, 5*3000))))
			if !strings.Contains(w.Body.String()+w.Header().Get("Grpc-Message"), "was revoked") {
				t.Errorf("%s: the client got %q %v", kind, w.Body, w.Header())
			}
			close(goOn)
			if err := <-ended; err == nil || handled != 5 {
				t.Errorf("%s: %d messages were handled, wanted the 5 of before; %v", kind, handled, err)
			}
		})
	}
}

// TestMessageOnItsWay: nor does a handler get the message that it was waiting for as the
// token ended.
func TestMessageOnItsWay(t *testing.T) {
	bubble(t, func(t *testing.T, auth *connectauth.Auth, token string, block func()) {
		body, client := io.Pipe()
		got := make(chan int, 1)
		h := auth.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			n, _ := r.Body.Read(make([]byte, 5))
			got <- n
		}))
		go func() {
			synctest.Wait() // until it reads
			block()
		}()
		h.ServeHTTP(httptest.NewRecorder(), upload(token, "connect+proto", body))
		_, _ = client.Write(frame(""))
		if n := <-got; n != 0 {
			t.Errorf("the handler got %d bytes", n)
		}
	})
}

// TestLateHandlersAreBounded: handlers that heed nothing are left running 256 times. Then
// a stream keeps its place until one of all has ended; its client is told before.
func TestLateHandlersAreBounded(t *testing.T) {
	const most, more = 256, 3
	bubble(t, func(t *testing.T, auth *connectauth.Auth, token string, block func()) {
		release, left := make(chan struct{}), make(chan struct{}, most+more)
		h := auth.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		var answers []*httptest.ResponseRecorder
		for range most + more {
			w := httptest.NewRecorder()
			answers = append(answers, w)
			go func() {
				h.ServeHTTP(w, upload(token, "connect+proto", strings.NewReader("")))
				left <- struct{}{}
			}()
		}
		synctest.Wait()
		block()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(left); n != most {
			t.Errorf("%d handlers run on and hold no place, wanted %d", n, most)
		}
		for _, w := range answers {
			if !strings.Contains(w.Body.String(), "was revoked") {
				t.Fatalf("a client got %q", w.Body)
			}
		}
		for range more {
			release <- struct{}{}
		}
		synctest.Wait()
		if n := len(left); n != most+more {
			t.Errorf("%d after %d handlers have ended, wanted all %d", n, more, most+more)
		}
		close(release)
	})
}

// TestSlowUnaryCalls: a token that was revoked before the last byte of its message runs
// nothing, and the client is told why, also where the context ends with the token.
func TestSlowUnaryCalls(t *testing.T) {
	for _, live := range []bool{false, true} {
		for _, revoked := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				v, block := revocable(t, iss)
				auth := connectauth.New(v, nil, &connectauth.Config{Gates: map[string]httpauth.Gate{watch: {Rule: readRule, Live: live}}})
				ran := false
				h := auth.Protect(connect.NewUnaryHandler(watch, func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
					ran = true
					return connect.NewResponse(wrapperspb.String("done")), nil
				}))
				body, client := io.Pipe()
				go func() {
					_, _ = client.Write([]byte("{"))
					if revoked {
						block("compromised")
					}
					time.Sleep(2 * time.Second)
					_, _ = client.Write([]byte("}"))
					_ = client.Close()
				}()
				w := httptest.NewRecorder()
				h.ServeHTTP(w, upload(iss.Token(issuertest.Claims{ClientID: "compromised", Scope: "orders:read"}), "json", body))
				_ = body.Close()
				switch {
				case !revoked && (w.Code != 200 || !ran):
					t.Errorf("live %v: a good token's call: %d %s", live, w.Code, w.Body)
				case revoked && (ran || w.Code != 401 || !strings.Contains(w.Body.String(), "was revoked") || !strings.Contains(w.Header().Get("Www-Authenticate"), "invalid_token")):
					t.Errorf("live %v: it ran: %v; %d %v %s", live, ran, w.Code, w.Header(), w.Body)
				}
			})
		}
	}
}
