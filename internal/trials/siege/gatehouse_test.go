package siege_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// desk is an introspection endpoint that knows every token that begins with
// "good", and answers about others as it likes.
type desk struct {
	latency time.Duration
	stagger time.Duration // each call takes that much longer than the one before; for fake time, where they would all end at once
	// others answers about tokens that it does not know; nil: inactive.
	others http.HandlerFunc
	// before, if set, may answer in place of everything else.
	before func(w http.ResponseWriter, token string) (answered bool)
	claims string // more members of an active answer

	mu        sync.Mutex
	now, peak int
	calls     int
	about     map[string]int
	first     map[string]int     // which call was the first about a token
	begun     func(token string) // told of each call, under mu
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	token := r.PostForm.Get("token")
	d.mu.Lock()
	if d.about == nil {
		d.about, d.first = make(map[string]int), make(map[string]int)
	}
	if d.about[token]++; d.about[token] == 1 {
		d.first[token] = d.calls
	}
	d.calls++
	d.now++
	d.peak = max(d.peak, d.now)
	latency := d.latency + time.Duration(d.calls%997)*d.stagger
	if d.begun != nil {
		d.begun(token)
	}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.now--
		d.mu.Unlock()
	}()
	if latency > 0 {
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case d.before != nil && d.before(w, token):
	case strings.HasPrefix(token, "good"):
		d.active(w)
	case d.others != nil:
		d.others(w, r)
	default:
		inactive(w, r)
	}
}

func (d *desk) active(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"active":true,"aud":%q,"scope":%q,"client_id":"m2m","exp":%d%s}`,
		issuertest.Audience, scope, time.Now().Add(time.Hour).Unix(), d.claims)
}

func (d *desk) underWay() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// place is how many calls began before the first about a token.
func (d *desk) place(token string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.first[token]
}

// leastAsked is how often the token was asked about that was asked about least.
func (d *desk) leastAsked(tokens []string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	least := d.about[tokens[0]]
	for _, token := range tokens {
		least = min(least, d.about[token])
	}
	return least
}

func inactive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"active":false}`)
}

// saysOf answers in one way.
func saysOf(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// resets cuts the connection so that the other side sees a reset.
func resets(w http.ResponseWriter, r *http.Request) {
	socket, ok := w.(http.Hijacker)
	if !ok {
		drops(w, r)
	}
	conn, _, err := socket.Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func drops(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// late answers after a while, if anybody waits so long.
func late(d time.Duration, then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			then(w, r)
		case <-r.Context().Done():
		}
	}
}

// house is an API before a desk, on sockets.
type house struct {
	t      testing.TB
	desk   *desk
	v      *validator.Validator
	url    string
	client *http.Client
	routes http.Handler

	mu            sync.Mutex
	inside        int
	peakWaiting   int
	told          map[string]map[int]int // answers by group
	run5xx, worst map[string]int
	why           map[string]int // what was refused with 429 and 5xx, by kind of source and cause
}

// note counts why somebody was not answered about his token.
func (h *house) note(source string, f *httpauth.Failure) {
	kind, _, _ := strings.Cut(source, "-")
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why == nil {
		h.why = make(map[string]int)
	}
	h.why[fmt.Sprint(kind, " ", f.Status, " ", f.Err)]++
}

// asking is what a house asks with, but for the endpoint.
func asking(ask introspection.Config) *introspection.Config {
	if ask.Auth == nil {
		ask.Auth = introspection.ClientSecretBasic("api", introspection.Secret("s3cr3t"))
	}
	return &ask
}

func openHouse(t testing.TB, d *desk, ask introspection.Config, observer func(context.Context, *observe.Event)) *house {
	t.Helper()
	endpoint := httptest.NewServer(d)
	t.Cleanup(endpoint.Close)
	ask.Endpoint = endpoint.URL + "/introspect"
	h := furnish(t, d, ask, observer)
	server := httptest.NewServer(h.routes)
	t.Cleanup(server.Close)
	h.url = server.URL
	transport := &http.Transport{MaxIdleConnsPerHost: 1000}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{Transport: transport, Timeout: patience}
	return h
}

// furnish makes a house without a socket, whose handler is called by knock.
func furnish(t testing.TB, d *desk, ask introspection.Config, observer func(context.Context, *observe.Event)) *house {
	t.Helper()
	h := &house{t: t, desk: d, told: make(map[string]map[int]int), run5xx: make(map[string]int), worst: make(map[string]int)}
	if observer == nil {
		observer = func(context.Context, *observe.Event) {}
	}
	v, err := validator.New(validator.Config{
		Observer: observe.Observer{Event: observer},
		Issuers: []validator.Issuer{{
			URL: "https://id.example.test", Audience: []string{issuertest.Audience}, Introspection: asking(ask),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	h.v = v
	m := httpauth.New(v, &httpauth.Config{
		Source: func(r *http.Request) string { return r.Header.Get("X-Source") },
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, f *httpauth.Failure) {
			if f.Status != http.StatusUnauthorized {
				h.note(r.Header.Get("X-Source"), f)
			}
			f.Respond(w)
		},
	})
	done := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux := http.NewServeMux()
	mux.Handle("GET /orders", m.Require(scopes.All(scope))(done))
	mux.Handle("GET /fresh", m.RequireFresh(0, scopes.All(scope))(done))
	h.routes = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.enter(1)
		defer h.enter(-1)
		mux.ServeHTTP(w, r)
	})
	return h
}

func (h *house) enter(n int) {
	under := h.desk.underWay()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inside += n
	h.peakWaiting = max(h.peakWaiting, h.inside-under)
}

// get sends a request over the house's socket if it has one, and counts the
// answer with a group's.
func (h *house) get(group, source, path, token string) int {
	if h.url == "" {
		return h.knock(group, source, path, token)
	}
	r, err := http.NewRequest(http.MethodGet, h.url+path, nil)
	if err != nil {
		h.t.Error(err)
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Source", source)
	res, err := h.client.Do(r)
	if err != nil {
		h.t.Errorf("%s: %v", group, err)
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return h.count(group, res.StatusCode)
}

// knock is get without a socket.
func (h *house) knock(group, source, path, token string) int {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Source", source)
	w := httptest.NewRecorder()
	h.routes.ServeHTTP(w, r)
	return h.count(group, w.Code)
}

func (h *house) count(group string, status int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.told[group] == nil {
		h.told[group] = make(map[int]int)
	}
	h.told[group][status]++
	if status >= 500 {
		h.run5xx[group]++
	} else {
		h.run5xx[group] = 0
	}
	h.worst[group] = max(h.worst[group], h.run5xx[group])
	return status
}

// answers is how often a group got each status, and the longest run of 5xx.
func (h *house) answers(group string) (by map[int]int, all, in5xx int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	by = maps.Clone(h.told[group])
	for _, n := range by {
		all += n
	}
	return by, all, h.worst[group]
}

// warm makes tokens known.
func (h *house) warm(n int) (tokens []string) {
	h.t.Helper()
	var group sync.WaitGroup
	for i := range n {
		tokens = append(tokens, "good-known-"+strconv.Itoa(i))
	}
	for part := range 10 {
		group.Go(func() {
			for i := part; i < n; i += 10 {
				if got := h.get("warm", "warm", "/orders", tokens[i]); got != http.StatusOK {
					h.t.Errorf("a token was answered %d before anything happened", got)
				}
			}
		})
	}
	group.Wait()
	return tokens
}
