package introspection_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// own answers in its own way, and counts.
type own struct {
	mu      sync.Mutex
	answers func(ctx context.Context, token string) (introspection.Answer, error)
	asked   map[string]int
}

func (o *own) IntrospectToken(ctx context.Context, token string) (introspection.Answer, error) {
	o.mu.Lock()
	if o.asked == nil {
		o.asked = make(map[string]int)
	}
	o.asked[token]++
	answers := o.answers
	o.mu.Unlock()
	return answers(ctx, token)
}

func (o *own) become(answers func(context.Context, string) (introspection.Answer, error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers = answers
}

func (o *own) calls(tokens ...string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for token, times := range o.asked {
		for _, wanted := range tokens {
			if token == wanted {
				n += times
			}
		}
		if len(tokens) == 0 {
			n += times
		}
	}
	return n
}

var isActive = introspection.Answer{Active: true, Claims: map[string]any{"sub": "svc"}}

func allActive(context.Context, string) (introspection.Answer, error) { return isActive, nil }

func failing(err error) func(context.Context, string) (introspection.Answer, error) {
	return func(context.Context, string) (introspection.Answer, error) { return introspection.Answer{}, err }
}

// ownClient asks o; change may set further fields.
func ownClient(t *testing.T, o introspection.Introspector, change func(*introspection.Config)) *introspection.Client {
	t.Helper()
	cfg := introspection.Config{Introspector: o}
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

// TestIntrospectorIsAskedAsAnEndpointIs: answers are remembered for their lifetimes,
// and callers with one token share a call.
func TestIntrospectorIsAskedAsAnEndpointIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &own{answers: func(_ context.Context, token string) (introspection.Answer, error) {
			<-time.After(time.Second)
			if token == "short" {
				return introspection.Answer{Active: true, Claims: map[string]any{"exp": time.Now().Unix() + 5}}, nil
			}
			return introspection.Answer{Active: token == "good", Claims: map[string]any{"sub": "svc", "aud": []string{"a", "b"}, "exp": int64(9e9), "raw": json.RawMessage(`{"n":1}`)}}, nil
		}}
		c := ownClient(t, o, nil)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() { expectQuietly(t, c, "good") })
			callers.Go(func() {
				if r, err := c.Introspect(t.Context(), "bad"); err != nil || r.Active() {
					t.Errorf("%v, %v", r, err)
				}
			})
		}
		callers.Wait()
		if o.calls() != 2 {
			t.Errorf("%d calls, wanted one for each token", o.calls())
		}
		var members map[string]any
		if err := json.Unmarshal(expect(t, c, "good", "active").Claims(), &members); err != nil || fmt.Sprint(members) != "map[active:true aud:[a b] exp:9e+09 raw:map[n:1] sub:svc]" {
			t.Errorf("%v, %v", members, err)
		}
		if text := string(expect(t, c, "bad", "inactive").Claims()); text != `{"active":false}` {
			t.Error(text)
		}
		expect(t, c, "short", "active")
		elapse(11 * time.Second)
		for token, calls := range map[string]int{"good": 1, "bad": 2, "short": 2} {
			if _, err := c.Introspect(t.Context(), token); err != nil || o.calls(token) != calls {
				t.Errorf("%s: %d calls, %v, wanted %d", token, o.calls(token), err, calls)
			}
		}
		elapse(20 * time.Second)
		expect(t, c, "good", "active")
		if o.calls("good") != 2 {
			t.Errorf("%d calls, wanted another after the lifetime", o.calls("good"))
		}
	})
}

// TestIntrospectorHasBudgets: no more than Config.MaxConcurrent calls at once.
func TestIntrospectorHasBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		c := ownClient(t, &own{answers: func(context.Context, string) (introspection.Answer, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-time.After(100 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			return isActive, nil
		}}, func(cfg *introspection.Config) { cfg.MaxConcurrent = 5 })
		var callers sync.WaitGroup
		for i := range 50 {
			callers.Go(func() { expectQuietly(t, c, tokenNumber(i)) })
		}
		callers.Wait()
		if most != 5 {
			t.Errorf("%d calls at once, wanted 5", most)
		}
	})
}

// TestIntrospectorsErrorsAreJudged as failures of an endpoint are: one about the
// endpoint shuts the way, one that may be the token's shuts it for nobody else.
func TestIntrospectorsErrorsAreJudged(t *testing.T) {
	trouble := errors.New("connection refused")
	for name, err := range map[string]error{"any": errors.New("odd"), "about its token": introspection.AboutToken(errors.New("unreadable")), "about nothing": introspection.AboutToken(nil)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &own{answers: allActive}
				c := ownClient(t, o, nil)
				expect(t, c, "good-token", "active")
				o.become(func(_ context.Context, token string) (introspection.Answer, error) {
					if strings.HasPrefix(token, "good") {
						return isActive, nil
					}
					return introspection.Answer{}, err
				})
				elapse(time.Minute)
				for i := range 20 {
					expect(t, c, tokenNumber(i), "refused") // its own trouble: good-token is well after it
					expect(t, c, fmt.Sprint("good-", i), "active")
				}
			})
		})
	}
	for name, err := range map[string]error{
		"about the endpoint": introspection.AboutEndpoint(trouble, 0), "wrapped": fmt.Errorf("tokens: %w", introspection.AboutEndpoint(trouble, 0)),
		"without a cause": introspection.AboutEndpoint(nil, 0), "with no time to wait": introspection.AboutEndpoint(trouble, -time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &own{answers: failing(err)}
				c := ownClient(t, o, nil)
				for i := range 100 {
					expect(t, c, tokenNumber(i), "unavailable")
				}
				if o.calls() != 3 {
					t.Errorf("%d calls while it is down, wanted 3", o.calls())
				}
				o.become(allActive)
				elapse(5 * time.Second)
				expect(t, c, "good-token", "active")
			})
		})
	}
}

// TestIntrospectorsRetryAfter is obeyed as an endpoint's is: about known tokens it
// stops everybody at the second one, for half a minute at most, and about others it
// slows those.
func TestIntrospectorsRetryAfter(t *testing.T) {
	for wants, pause := range map[time.Duration]time.Duration{20 * time.Second: 20 * time.Second, 24 * time.Hour: 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			o := &own{answers: allActive}
			c := ownClient(t, o, nil)
			for _, token := range []string{"token-a", "token-b", "token-c"} {
				expect(t, c, token, "active")
			}
			elapse(31 * time.Second)
			slow := failing(introspection.AboutEndpoint(errors.New("429"), wants))
			o.become(slow)
			expect(t, c, "never-seen", "throttled")
			_, err := c.Introspect(t.Context(), "token-a")
			if got := failure(t, err).RetryAfter; got != pause {
				t.Errorf("RetryAfter is %v, wanted %v", got, pause)
			}
			expect(t, c, "token-b", "unavailable")
			o.become(allActive)
			elapse(pause - time.Millisecond)
			before := o.calls()
			expect(t, c, "token-c", "unavailable")
			if o.calls() != before {
				t.Error("asked before its time")
			}
			elapse(time.Millisecond)
			expect(t, c, "token-c", "active")
		})
	}
}

// TestIntrospectorThatHangs is left behind after Config.RequestTimeout, and not called
// without end.
func TestIntrospectorThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		o := &own{answers: func(context.Context, string) (introspection.Answer, error) {
			<-release
			return isActive, nil
		}}
		c := ownClient(t, o, func(cfg *introspection.Config) { cfg.MaxConcurrent, cfg.RequestTimeout = 2, time.Second })
		begin := time.Now()
		_, err := c.Introspect(t.Context(), "first-token")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "hangs") || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		for i := range 40 {
			expect(t, c, tokenNumber(i), "unavailable")
			elapse(5 * time.Second)
		}
		if n := o.calls(); n != 9 {
			t.Errorf("%d calls hang, wanted no more after 8", n)
		}
		c.Close() // waits for none of them
		close(release)
	})
}

// TestIntrospectorGetsTheTimeOut, and Close ends its call.
func TestIntrospectorGetsTheTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &own{answers: func(ctx context.Context, _ string) (introspection.Answer, error) {
			<-ctx.Done()
			return introspection.Answer{}, ctx.Err()
		}}
		c := ownClient(t, o, nil)
		begin := time.Now()
		expect(t, c, "first-token", "unavailable")
		if time.Since(begin) != 5*time.Second {
			t.Errorf("it had %v", time.Since(begin))
		}
		begin = time.Now()
		time.AfterFunc(time.Second, c.Close)
		expect(t, c, "second-token", "unavailable")
		if time.Since(begin) != time.Second {
			t.Errorf("Close took %v", time.Since(begin))
		}
	})
}

// broken is an error that cannot be read.
type broken struct{}

func (*broken) Error() string { panic("an error that panics") }

// TestIntrospectorThatPanics ends one call, and neither the process nor anybody
// else's.
func TestIntrospectorThatPanics(t *testing.T) {
	const token = "the-token-of-somebody"
	var nothing map[string]int
	for name, answers := range map[string]func(context.Context, string) (introspection.Answer, error){
		"a value": func(_ context.Context, token string) (introspection.Answer, error) { panic("about " + token) },
		"nil map": func(_ context.Context, token string) (introspection.Answer, error) {
			nothing[token]++
			return isActive, nil
		},
		"its error": failing(&broken{}),
		"its claim": func(context.Context, string) (introspection.Answer, error) {
			return introspection.Answer{Active: true, Claims: map[string]any{"x": textThatPanics{}}}, nil
		},
		"a nil of errors": failing((*introspection.UnavailableError)(nil)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &own{answers: allActive}
				c := ownClient(t, o, nil)
				expect(t, c, "good-token", "active")
				elapse(time.Minute)
				o.become(func(ctx context.Context, asked string) (introspection.Answer, error) {
					if asked == token {
						return answers(ctx, asked)
					}
					return isActive, nil
				})
				_, err := c.Introspect(t.Context(), token)
				if !errors.Is(err, introspection.ErrRefused) || !strings.Contains(err.Error(), "panicked") || strings.Contains(err.Error(), token) {
					t.Errorf("%v", err)
				}
				expect(t, c, "another-token", "active")
			})
		})
	}
}

type textThatPanics struct{}

func (textThatPanics) MarshalJSON() ([]byte, error) { panic("a claim that panics") }

// TestIntrospectorsErrorsShowNoToken: an error of net/http quotes a URL, in which such
// servers want the token.
func TestIntrospectorsErrorsShowNoToken(t *testing.T) {
	const token = "secret+token/of=="
	inner := errors.New("connection reset")
	for name, err := range map[string]error{
		"a URL":            &url.Error{Op: "Get", URL: "https://id.example.com/tokeninfo?access_token=" + url.QueryEscape(token), Err: inner},
		"a path":           &url.Error{Op: "Get", URL: "https://id.example.com/tokens/" + url.PathEscape(token), Err: inner},
		"as it is":         errors.New("no such token: " + token),
		"within a URL":     &url.Error{Op: "Get", URL: token, Err: errors.New("bad " + token)},
		"about the server": introspection.AboutEndpoint(fmt.Errorf("asking about %s: %w", token, inner), 0),
		"about it":         introspection.AboutToken(errors.New(token + " is odd")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen events
				c := ownClient(t, &own{answers: failing(err)}, func(cfg *introspection.Config) { cfg.Observer = observe.Observer{Event: seen.add} })
				_, got := c.Introspect(t.Context(), token)
				told := []error{failure(t, got)}
				for _, e := range seen.all() {
					told = append(told, e.Err)
				}
				if len(told) < 2 {
					t.Fatal("nobody was told")
				}
				for _, err := range told {
					for ; err != nil; err = errors.Unwrap(err) {
						for _, form := range []string{token, url.QueryEscape(token), url.PathEscape(token)} {
							if strings.Contains(err.Error(), form) {
								t.Errorf("%v", err)
							}
						}
					}
				}
				if strings.HasPrefix(name, "a ") != errors.Is(got, inner) {
					t.Errorf("%v: what can be shown of it is not", got)
				}
			})
		})
	}
}

// TestIntrospectorsAnswersAreHeldToTheRules of an endpoint's.
func TestIntrospectorsAnswersAreHeldToTheRules(t *testing.T) {
	for name, tc := range map[string]struct {
		claims map[string]any
		want   string
		says   string
	}{
		"nothing but active":         {nil, "active", ""},
		"active twice, and the same": {map[string]any{"active": true}, "active", ""},
		"active twice":               {map[string]any{"active": false}, "refused", "says otherwise"},
		"active as a string":         {map[string]any{"active": "true"}, "refused", "says otherwise"},
		"an exp that is no time":     {map[string]any{"exp": -1}, "refused", "member exp"},
		"an exp in quotes":           {map[string]any{"exp": "4102444800"}, "refused", `Config.Introspector: Answer.Claims["exp"] is a string, wanted a number of seconds, such as an int64`},
		"an iat in quotes":           {map[string]any{"iat": "0"}, "refused", `Answer.Claims["iat"] is a string`},
		"an nbf in quotes":           {map[string]any{"nbf": new("0")}, "refused", `Answer.Claims["nbf"] is a string`},
		"an exp as a Go time":        {map[string]any{"exp": time.Now()}, "refused", `Answer.Claims["exp"] is a string`},
		"an iat as a Go time":        {map[string]any{"iat": time.Now()}, "refused", `Answer.Claims["iat"] is a string`},
		"an nbf as a Go time":        {map[string]any{"nbf": time.Now()}, "refused", `Answer.Claims["nbf"] is a string`},
		"another time in quotes":     {map[string]any{"updated_at": time.Now(), "x": map[string]any{"exp": "1"}}, "active", ""},
		"a json.Number with a text":  {map[string]any{"sub": json.Number(`"x"`)}, "refused", "cannot be written as JSON"},
		"a json.Number without one":  {map[string]any{"exp": json.Number("")}, "refused", "cannot be written as JSON"},
		"a json.Number of null":      {map[string]any{"exp": json.Number("null")}, "refused", "cannot be written as JSON"},
		"no UTF-8":                   {map[string]any{"sub": "\xff"}, "refused", "cannot be written as JSON"},
		"what is no JSON":            {map[string]any{"sub": func() {}}, "refused", "cannot be written as JSON"},
		"a name twice":               {map[string]any{"x": json.RawMessage(`{"a":1,"a":2}`)}, "refused", "cannot be written as JSON"},
		"deep":                       {map[string]any{"x": json.RawMessage(strings.Repeat("[", 40) + strings.Repeat("]", 40))}, "refused", "nests deeper"},
		"large":                      {map[string]any{"x": strings.Repeat("x", 70_000)}, "refused", "over the limit of 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := ownClient(t, &own{answers: func(_ context.Context, token string) (introspection.Answer, error) {
					if token == "good-token" {
						return isActive, nil
					}
					return introspection.Answer{Active: true, Claims: tc.claims}, nil
				}}, nil)
				expect(t, c, "good-token", "active")
				elapse(time.Minute)
				r, err := c.Introspect(t.Context(), "the-token")
				if got := verdict(r, err); got != tc.want || err != nil && !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%s (%v), wanted %s", got, err, tc.want)
				}
			})
		})
	}
	// What is said of an inactive token is not read.
	c := ownClient(t, &own{answers: func(context.Context, string) (introspection.Answer, error) {
		return introspection.Answer{Claims: map[string]any{"active": true, "exp": "soon"}}, nil
	}}, nil)
	expect(t, c, "the-token", "inactive")
}

// TestIntrospectorsNumbers are written as they were read: a [json.Number] is what a
// decoder makes of another server's number.
func TestIntrospectorsNumbers(t *testing.T) {
	for name, exp := range map[string]any{
		"int64": int64(4102444800), "float64": 4102444800.0, "json.Number": json.Number("4102444800"), "an exponent": json.Number("4.1024448e9"), "a pointer": new(json.Number("4102444800")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := ownClient(t, &own{answers: func(context.Context, string) (introspection.Answer, error) {
					return introspection.Answer{Active: true, Claims: map[string]any{"exp": exp, "list": []any{json.Number("1.50"), map[string]any{"n": json.Number("-0")}}}}, nil
				}}, func(cfg *introspection.Config) {
					cfg.PositiveLifetime, cfg.Now = time.Minute, func() time.Time { return time.Unix(4102444800-5, 0) }
				})
				r := expect(t, c, "the-token", "active")
				if until := time.Until(r.ValidUntil()); until != 5*time.Second {
					t.Errorf("remembered for %v, wanted as long as exp says", until)
				}
				var said struct {
					Exp  float64
					List json.RawMessage
				}
				if err := json.Unmarshal(r.Claims(), &said); err != nil || said.Exp != 4102444800 || string(said.List) != `[1.50,{"n":-0}]` {
					t.Errorf("%s, %v", r.Claims(), err)
				}
			})
		})
	}
}

// TestStaleIfErrorOfAnIntrospector serves what is remembered while the endpoint is in
// trouble, and not where that may be its word on the token.
func TestStaleIfErrorOfAnIntrospector(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"about the endpoint": {introspection.AboutEndpoint(errors.New("down"), 0), "active"},
		"about the token":    {introspection.AboutToken(errors.New("odd")), "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &own{answers: allActive}
				c := ownClient(t, o, func(cfg *introspection.Config) { cfg.StaleIfError = time.Minute })
				expect(t, c, "the-token", "active")
				elapse(31 * time.Second)
				o.become(failing(tc.err))
				expect(t, c, "the-token", tc.want)
			})
		})
	}
}

type pointerIntrospector struct{ o own }

func (p *pointerIntrospector) IntrospectToken(ctx context.Context, token string) (introspection.Answer, error) {
	return p.o.IntrospectToken(ctx, token)
}

// TestIntrospectorFaults: what would not be looked at beside it is New's fault.
func TestIntrospectorFaults(t *testing.T) {
	for field, change := range map[string]func(*introspection.Config){
		"Endpoint":             func(c *introspection.Config) { c.Endpoint = endpointURL },
		"Auth":                 func(c *introspection.Config) { c.Auth = introspection.TLSClientAuth("api") },
		"Answers":              func(c *introspection.Config) { c.Answers = verifierFunc(nil) },
		"InactiveStatus":       func(c *introspection.Config) { c.InactiveStatus = []int{404} },
		"HTTPClient":           func(c *introspection.Config) { c.HTTPClient = http.DefaultClient },
		"DangerouslyAllowHTTP": func(c *introspection.Config) { c.DangerouslyAllowHTTP = true },
	} {
		cfg := introspection.Config{Introspector: &own{}}
		change(&cfg)
		if _, err := introspection.New(cfg); err == nil || !strings.Contains(err.Error(), "Config."+field+" is set beside Config.Introspector") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := introspection.New(introspection.Config{Introspector: (*pointerIntrospector)(nil)}); err == nil || !strings.Contains(err.Error(), "Config.Introspector is a nil *introspection_test.pointerIntrospector") {
		t.Errorf("%v", err)
	}
}
