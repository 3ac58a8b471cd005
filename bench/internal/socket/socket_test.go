package socket_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/m2mguard/m2mguard/bench/internal/socket"
)

const path = "/orders"

var body = []byte(`{"orders":[]}`)

func serve(t *testing.T, handler http.HandlerFunc) *socket.Server {
	t.Helper()
	s, err := socket.Serve(handler, path, body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Each request is a whole one with the next token, and the connections last.
func TestRequests(t *testing.T) {
	var mu sync.Mutex
	tokens, peers := make(map[string]int), make(map[string]int)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodGet || r.URL.Path != path || r.Proto != "HTTP/1.1" {
			t.Errorf("%s %s %s", r.Method, r.URL, r.Proto)
		}
		tokens[r.Header.Get("Authorization")]++
		peers[r.RemoteAddr]++
		_, _ = w.Write(body) // the client is there
	})
	subject := s.Subject("x", []string{"one", "two"})
	if subject.Workers != socket.Connections {
		t.Errorf("%d workers, wanted one for each connection", subject.Workers)
	}
	for range 2 { // batches
		for range socket.Connections {
			ask := subject.Worker()
			for i := range 4 {
				if err := ask(i); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if len(tokens) != 2 || tokens["Bearer one"] != 4*socket.Connections || tokens["Bearer two"] != 4*socket.Connections {
		t.Errorf("tokens %v", tokens)
	}
	if len(peers) != socket.Connections {
		t.Errorf("%d connections, wanted %d", len(peers), socket.Connections)
	}
	for peer, n := range peers {
		if n != 8 {
			t.Errorf("%d requests from %s, wanted 8", n, peer)
		}
	}
}

// What is not the whole answer fails the run.
func TestOtherAnswersFail(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"401":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "wanted 200"},
		"204":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "wanted 200"},
		"another body": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }, "the body"},
		"no length": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(body)
			w.(http.Flusher).Flush()
		}, "without Content-Length"},
		"a long body": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<17)) }, "without Content-Length"},
		"a long one, told": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(1<<17))
			_, _ = w.Write(make([]byte, 1<<17))
		}, "bytes"},
		"none": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			err := serve(t, c.answer).Subject("x", []string{"token"}).Worker()(0)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, wanted %q", err, c.want)
			}
		})
	}
}

func TestClosedServerFails(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	s.Close()
	if err := s.Subject("x", []string{"token"}).Worker()(0); err == nil {
		t.Error("a closed server has answered")
	}
}
