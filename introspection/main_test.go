package introspection_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	endpointURL = "https://id.example.com/introspect"
	activeBody  = `{"active":true}`
	secretText  = "s3cret-of-the-api"
)

var errDown = &net.OpError{Op: "dial", Err: errors.New("connection refused")}

// answer is what an upstream does with one request.
type answer struct {
	status int // 0 means 200
	body   string
	header map[string]string
	err    error         // no answer at all
	after  time.Duration // fake time that passes first
	until  chan struct{} // if not nil, the answer waits for it
}

// upstream is an introspection endpoint in memory, so that it fits into a
// synctest bubble.
type upstream struct {
	mu      sync.Mutex
	answers func(token string) answer
	asked   map[string]int
	now     int // requests under way
	peak    int
}

func newUpstream(answers func(token string) answer) *upstream {
	return &upstream{answers: answers, asked: make(map[string]int)}
}

// always answers every token with the same body.
func always(body string) func(string) answer {
	return func(string) answer { return answer{body: body} }
}

func down(string) answer { return answer{err: errDown} }

func (u *upstream) become(answers func(token string) answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers = answers
}

func (u *upstream) calls() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for c := range maps.Values(u.asked) {
		n += c
	}
	return n
}

// mostAtOnce is how many requests were under way at one time.
func (u *upstream) mostAtOnce() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.peak
}

func (u *upstream) callsFor(token string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked[token]
}

func (u *upstream) RoundTrip(req *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	u.asked[form.Get("token")]++
	u.now++
	u.peak = max(u.peak, u.now)
	a := u.answers(form.Get("token"))
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.now--
		u.mu.Unlock()
	}()
	if a.after > 0 || a.until != nil {
		var timer <-chan time.Time
		if a.after > 0 {
			timer = time.After(a.after)
		}
		select {
		case <-timer:
		case <-a.until:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range a.header {
		header.Set(name, value)
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: req}, nil
}

// newClient makes a Client that asks u; change may set further fields.
func newClient(t *testing.T, u *upstream, change func(*introspection.Config)) *introspection.Client {
	t.Helper()
	cfg := introspection.Config{
		Endpoint:   endpointURL,
		Auth:       introspection.ClientSecretBasic("api", introspection.Secret(secretText)),
		HTTPClient: &http.Client{Transport: u},
	}
	if change != nil {
		change(&cfg)
	}
	c, err := introspection.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// expect asks about token and compares: "active", "inactive" or "unavailable".
func expect(t *testing.T, c *introspection.Client, token, want string) *introspection.Result {
	t.Helper()
	r, err := c.Introspect(context.Background(), token)
	if got := verdict(r, err); got != want {
		t.Fatalf("token %q at %v is %s (%v), want %s", token, time.Now(), got, err, want)
	}
	return r
}

func verdict(r *introspection.Result, err error) string {
	switch {
	case errors.Is(err, introspection.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, introspection.ErrThrottled):
		return "throttled"
	case errors.Is(err, introspection.ErrRefused):
		return "refused"
	case err != nil:
		return "failed otherwise"
	case r.Active():
		return "active"
	}
	return "inactive"
}

// failure returns err as what it must be.
func failure(t *testing.T, err error) *introspection.UnavailableError {
	t.Helper()
	u, ok := errors.AsType[*introspection.UnavailableError](err)
	if !ok || !errors.Is(err, introspection.ErrUnavailable) || u.RetryAfter <= 0 {
		t.Fatalf("error is %#v, want an UnavailableError with a RetryAfter", err)
	}
	return u
}

// events collects a client's events.
type events struct {
	mu   sync.Mutex
	list []observe.Event
}

func (e *events) add(_ context.Context, event *observe.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, *event)
}

func (e *events) all() []observe.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// elapse lets fake time pass in a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }
