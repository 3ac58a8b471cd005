package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/serve"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// file is a gateway's, with what is added to serve.
func file(iss *issuertest.Issuer, more string) string {
	return fmt.Sprintf(`
issuers:
  - {url: %q, audience: [%q]}
api: {publicURL: ["https://api.example.com"]}
serve:
  proxy: haproxy
  from: [127.0.0.1/32]
  routes:
    GET /orders: {scopes: ["orders:read"]}
    GET /health: {public: true}
%s`, iss.URL(), issuertest.Audience, more)
}

func build(t testing.TB, b *serve.Builder, text string) (*serve.Set, error) {
	t.Helper()
	f, err := config.ReadFor(strings.NewReader(text), b.Faults)
	if err != nil {
		return nil, err
	}
	set, err := b.Build(f)
	if err != nil {
		f.Close()
	}
	return set, err
}

// gate is a gateway that runs.
type gate struct {
	set          *serve.Set   // the first one
	closed       atomic.Int32 // how many were closed
	asked, admin string
	client       *http.Client
	reload       chan os.Signal
	stop         func() error
	log          *lines
}

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// run runs a gateway of this text; next makes what a reload brings.
func run(t testing.TB, text, listen string, next func(*serve.Builder) (*serve.Set, error)) *gate {
	t.Helper()
	g := &gate{reload: make(chan os.Signal), log: new(lines)}
	metrics, observer, err := serve.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	b := &serve.Builder{Log: slog.New(slog.NewJSONHandler(g.log, nil)), Observer: observer}
	set, err := build(t, b, text)
	if err != nil {
		t.Fatal(err)
	}
	g.set = set
	closing(set, &g.closed)
	ctx, stop := context.WithCancel(context.Background())
	listening, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- serve.Run(ctx, set, func() (*serve.Set, error) { return next(b) }, g.reload, serve.Options{
			Listen: listen, Admin: "127.0.0.1:0", Metrics: metrics, Drain: time.Minute, Notice: notice, Log: b.Log,
			Listening: func(asked, admin net.Addr) {
				g.asked, g.admin = asked.String(), "http://"+admin.String()
				close(listening)
			},
		})
	}()
	select {
	case <-listening:
	case err := <-ended:
		stop()
		t.Fatal(err)
	}
	g.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		if path, socket := strings.CutPrefix(listen, "unix:"); socket {
			return d.DialContext(ctx, "unix", path)
		}
		return d.DialContext(ctx, "tcp", g.asked)
	}}}
	var once sync.Once
	g.stop = func() (err error) {
		once.Do(func() {
			stop()
			err = <-ended
			g.client.CloseIdleConnections()
		})
		return err
	}
	t.Cleanup(func() { _ = g.stop() })
	return g
}

// notice is how long a gateway here says no before it ends.
const notice = time.Nanosecond

// closing counts sets that are closed.
func closing(set *serve.Set, closed *atomic.Int32) {
	inner := set.Close
	set.Close = func() {
		inner()
		closed.Add(1)
	}
}

// ask asks about a request as HAProxy does.
func (g *gate) ask(target, token string) (int, error) {
	r, err := http.NewRequest("GET", "http://gate/auth", nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("X-Original-Method", "GET")
	r.Header.Set("X-Original-Uri", target)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := g.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}

func look(t testing.TB, address string) (int, string) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestAdmin: readiness, keys, metrics and metadata.
func TestAdmin(t *testing.T) {
	iss := issuertest.New(t)
	g := run(t, file(iss, ""), "127.0.0.1:0", nil)
	for range 2 {
		if status, err := g.ask("/orders", iss.Token(issuertest.Claims{Scope: "orders:read"})); status != 200 || err != nil {
			t.Fatalf("%d, %v", status, err)
		}
	}
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/live":                                 {204, ""},
		"/ready":                                {204, ""},
		"/.well-known/jwks.json":                {200, `"kty":"EC"`},
		"/metrics":                              {200, "m2mguard_"},
		"/.well-known/oauth-protected-resource": {200, `"resource":"https://api.example.com"`},
		"/":                                     {404, ""},
	} {
		if status, text := look(t, g.admin+path); status != want.status || !strings.Contains(text, want.text) {
			t.Errorf("%s: %d %s, wanted %d with %s", path, status, text, want.status, want.text)
		}
	}
	if err := g.stop(); err != nil {
		t.Error(err)
	}
}

// TestSocket: a socket that was left behind is taken over, one that is in use is not.
func TestSocket(t *testing.T) {
	iss := issuertest.New(t)
	path := filepath.Join(t.TempDir(), "gate")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	g := run(t, file(iss, "  listen: unix:"+path+"\n"), "unix:"+path, nil)
	if status, err := g.ask("/health", ""); status != 200 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
	b := &serve.Builder{Log: slog.New(slog.DiscardHandler)}
	set, err := build(t, b, file(iss, ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Run(t.Context(), set, nil, nil, serve.Options{Listen: "unix:" + path, Log: b.Log}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second one: %v", err)
	}
}

// TestFaultyListIsTold: a list of revocations that cannot be read is in the log and the
// metrics, though the file was opened before there was a log.
func TestFaultyListIsTold(t *testing.T) {
	list := filepath.Join(t.TempDir(), "revocations.json")
	if err := os.WriteFile(list, []byte(`{"m2mguard_revocations":1,"sequence":1,"entrys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	told, watched, ended := make(chan error, 1), 0, 0
	log := new(lines)
	b := &serve.Builder{Log: slog.New(slog.NewJSONHandler(log, nil)), Observer: observe.Observer{
		Event: func(_ context.Context, e *observe.Event) {
			if e.Kind == observe.FeedFailed {
				told <- e.Err
			}
		},
		Watch: func(subject any) func() {
			if _, is := subject.(*revocation.List); !is {
				return nil
			}
			watched++
			return func() { ended++ }
		},
	}}
	set, err := build(t, b, "revocations: {file: "+list+"}\n"+file(issuertest.New(t), ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := <-told; !strings.Contains(err.Error(), "entrys") || !strings.Contains(log.String(), `revocation feed failed"`) {
		t.Errorf("%v; the log: %s", err, log)
	}
	set.Close()
	if watched != 1 || ended != 1 {
		t.Errorf("the list was watched %d times, which ended %d times", watched, ended)
	}
}

// TestReload: of 50,000 requests none is lost while ten configurations come, one of them
// with a fault, which is told with its line and changes nothing.
func TestReload(t *testing.T) {
	const requests, reloads, broken = 50_000, 10, 4
	iss := issuertest.New(t)
	var n atomic.Int32
	loaded := make(chan struct{}, 1)
	g := run(t, file(iss, ""), "127.0.0.1:0", func(b *serve.Builder) (*serve.Set, error) {
		defer func() { loaded <- struct{}{} }()
		more := fmt.Sprintf("    GET /number/%d: {public: true}\n", n.Load())
		if n.Load() == broken {
			more += "    GET /broken: {scope: [x]}\n"
		}
		return build(t, b, file(iss, more))
	})
	token := iss.Token(issuertest.Claims{Scope: "orders:read"})
	var wg sync.WaitGroup
	var asked, bad atomic.Int64
	for range 8 {
		wg.Go(func() {
			for asked.Add(1) <= requests {
				if status, err := g.ask("/orders", token); status != 200 || err != nil {
					bad.Add(1)
					t.Errorf("%d, %v", status, err)
					return
				}
			}
		})
	}
	for i := range int32(reloads) {
		for asked.Load() < int64(i+1)*requests/(reloads+1) && bad.Load() == 0 { // spread over the load
			time.Sleep(time.Millisecond)
		}
		n.Store(i)
		g.reload <- syscall.SIGHUP
		<-loaded
	}
	wg.Wait()
	for number, want := range map[int]int{reloads - 1: 200, 0: 401, broken: 401} {
		if status, err := g.ask(fmt.Sprintf("/number/%d", number), ""); status != want || err != nil {
			t.Errorf("configuration %d: %d, %v, wanted %d", number, status, err, want)
		}
	}
	log := g.log.String()
	if strings.Count(log, "the new configuration serves") != reloads-1 || !strings.Contains(log, "line 12: ") || !strings.Contains(log, "wanted scopes") {
		t.Errorf("log:\n%s", log)
	}
}

// TestReloadForgetsNothing: a proof that was seen is a replay after a reload, and while an
// issuer is away a new set, which has no keys, does not serve.
func TestReloadForgetsNothing(t *testing.T) {
	iss := issuertest.New(t)
	text := "dpop: {}\n" + file(iss, "")
	loaded := make(chan struct{}, 1)
	g := run(t, text, "127.0.0.1:0", func(b *serve.Builder) (*serve.Set, error) {
		defer func() { loaded <- struct{}{} }()
		return build(t, b, text)
	})
	reload := func(says string) {
		t.Helper()
		g.reload <- syscall.SIGHUP
		<-loaded
		g.reload <- syscall.SIGHUP // taken once the first one is over
		<-loaded
		if !strings.Contains(g.log.String(), says) {
			t.Errorf("nothing of %q in:\n%s", says, g.log)
		}
	}
	key := testdata.PrivateKey("p256-a")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	proof := issuertest.Proof(key, issuertest.ProofClaims{URL: "https://api.example.com/orders", Token: bound})
	prove := func() int {
		t.Helper()
		r, err := http.NewRequest("GET", "http://gate/auth", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"X-Original-Method": {"GET"}, "X-Original-Uri": {"/orders"}, "Authorization": {"DPoP " + bound}, "Dpop": {proof}}
		response, err := g.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	if first, again := prove(), prove(); first != 200 || again != 401 {
		t.Fatalf("%d, then %d", first, again)
	}
	reload("the new configuration serves")
	if after := prove(); after != 401 {
		t.Errorf("a proof that was seen before the reload: %d", after)
	}
	for _, endpoint := range []issuertest.Endpoint{issuertest.Discovery, issuertest.JWKS} {
		iss.SetFault(endpoint, issuertest.Down())
	}
	reload("is not ready, the old one serves on")
	if status, err := g.ask("/orders", iss.Token(issuertest.Claims{Scope: "orders:read"})); status != 200 || err != nil {
		t.Errorf("with the issuer away: %d, %v", status, err)
	}
}

// TestDrains: what is under way when the program is told to end is answered, and nobody
// new is sent.
func TestDrains(t *testing.T) {
	iss := issuertest.New(t)
	hold, came := make(chan struct{}), make(chan struct{}, 1)
	g := run(t, file(iss, ""), "127.0.0.1:0", nil)
	iss.SetFault(issuertest.JWKS, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		came <- struct{}{}
		<-hold
		next.ServeHTTP(w, r)
	})
	answered := make(chan int, 1)
	go func() {
		status, _ := g.ask("/orders", iss.Token(issuertest.Claims{Scope: "orders:read"}))
		answered <- status
	}()
	<-came
	stopped := make(chan error, 1)
	go func() { stopped <- g.stop() }()
	for !strings.Contains(g.log.String(), "draining") {
		time.Sleep(time.Millisecond)
	}
	close(hold)
	if status := <-answered; status != 200 {
		t.Errorf("what was under way got %d", status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
