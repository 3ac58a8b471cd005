package doctor

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"
)

// exchange is one request and its answer, as far as it is looked at afterwards.
type exchange struct {
	url    string // without its query
	status int    // 0: none came
	date   time.Time
	middle time.Time     // between sending and the answer's head, by our clock
	took   time.Duration // until the answer's head
	body   *bytes.Buffer // of an answer to a GET
}

// recorder is an http.RoundTripper that remembers exchanges.
type recorder struct {
	base http.RoundTripper
	now  func() time.Time

	mu        sync.Mutex
	exchanges []*exchange
}

var _ http.RoundTripper = (*recorder)(nil)

// record returns client, or one like the library's own, with a recorder in it.
func record(client *http.Client, now func() time.Time) (*http.Client, *recorder) {
	var c http.Client
	if client != nil {
		c = *client
	}
	r := &recorder{base: c.Transport, now: now}
	if r.base == nil {
		r.base = http.DefaultTransport
	}
	c.Transport = r
	return &c, r
}

// RoundTrip implements [http.RoundTripper].
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, clock := time.Now(), r.now()
	resp, err := r.base.RoundTrip(req)
	x := &exchange{url: req.URL.Scheme + "://" + req.URL.Host + req.URL.EscapedPath(), took: time.Since(sent)}
	x.middle = clock.Add(x.took / 2)
	if err == nil {
		x.status = resp.StatusCode
		x.date, _ = http.ParseTime(resp.Header.Get("Date"))
		if req.Method == http.MethodGet {
			x.body = new(bytes.Buffer)
			resp.Body = tee{io.TeeReader(resp.Body, x.body), resp.Body}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, x)
	return resp, err
}

// all returns what was recorded.
func (r *recorder) all() []*exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.exchanges
}

// tee remembers what is read, which the library bounds.
type tee struct {
	io.Reader
	io.Closer
}
