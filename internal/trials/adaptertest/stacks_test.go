package adaptertest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// shown is what a request may show in a place, and what is true of it.
type shown struct {
	text     string
	client   string // of a good token
	scopes   string
	audience string
	status   int // of the refusal, if it is no good token
}

// showable is what can be shown: first nothing, then good tokens.
func showable(iss *issuertest.Issuer) []shown {
	good := func(client, scope, audience string) shown {
		token := iss.Token(issuertest.Claims{ClientID: client, Scope: scope, Audience: []string{audience}})
		return shown{"Bearer " + token, client, scope, audience, 0}
	}
	bad := func(kind issuertest.Bad) shown {
		token := iss.Bad(kind, issuertest.Claims{ClientID: "unproven", Scope: "a b", Audience: []string{"orders"}})
		return shown{text: "Bearer " + token, status: 401}
	}
	return []shown{
		{status: 401}, good("ann", "a", "orders"), good("bob", "a b", "bills"), good("cyd", "", "orders"), good("dee", "b", "orders"),
		bad(issuertest.Expired), bad(issuertest.OtherKey), bad(issuertest.Tampered), bad(issuertest.SenderBound), bad(issuertest.WrongIssuer),
		{text: "Bearer a b", status: 400}, {text: "Bearer", status: 400}, {text: "Basic dTpw", status: 401},
		{text: "Bearer opaque", status: 401}, {text: "ann", status: 401},
	}
}

// The choices of which a stack is made.
var (
	stackRules   = []scopes.Rule{scopes.AnyToken(), scopes.All("a"), scopes.All("a", "b"), scopes.Any("b", "c"), {}}
	stackConfigs = []httpauth.Config{
		{},
		{Audience: []string{"orders"}},
		{Credentials: inField},
		{DangerouslyReportOnly: true},
		{Credentials: inField, Audience: []string{"bills", "x"}, DangerouslyReportOnly: true},
	}
	stackAudiences = [][]string{nil, nil, {"orders"}, {"bills", "x"}}
)

func inField(r *http.Request) (scheme, token string, err error) {
	scheme, token, _ = strings.Cut(r.Header.Get("X-Token"), " ")
	return scheme, token, nil
}

// decision is an API's own: about one client it says no, or that it cannot tell.
type decision struct {
	about string
	err   error // nil for no decision at all
}

// decisionOf reads a decision from a byte.
func decisionOf(code byte) decision {
	errs := []error{nil, errors.New("no"), fmt.Errorf("the plan: %w", validator.ErrUnavailable), fmt.Errorf("the plan: %w", context.DeadlineExceeded)}
	return decision{[]string{"ann", "bob"}[code>>2&1], errs[code&3]}
}

// of is the status of what is decided about a client, 0 for a yes, and its error.
func (d decision) of(client string) (int, error) {
	switch {
	case d.err == nil || client != d.about:
		return 0, nil
	case errors.Is(d.err, validator.ErrUnavailable) || errors.Is(d.err, context.DeadlineExceeded):
		return 503, d.err
	}
	return 403, d.err
}

// layer is one gate of a stack.
type layer struct {
	gate   httpauth.Gate
	config *httpauth.Config
	policy decision
	saw    []*validator.Token // what the policy was asked about
}

// layers reads a stack from three bytes each, and at most four of them.
func layers(code []byte) (stack []*layer) {
	for ; len(code) >= 3 && len(stack) < 4; code = code[3:] {
		l := &layer{config: &stackConfigs[int(code[1]>>2)%len(stackConfigs)]}
		l.gate.Rule = stackRules[int(code[0]>>3)%len(stackRules)]
		l.gate.Audience = stackAudiences[code[1]&3]
		switch code[0] & 7 {
		case 1:
			l.gate.MaxAge = new(time.Duration)
		case 2:
			l.gate.Bound = true
		case 3, 4:
			l.gate.Optional = true
		case 5:
			l.gate.DangerouslyReportOnly = true
		}
		if l.policy = decisionOf(code[2]); l.policy.err != nil && !l.gate.DangerouslyReportOnly {
			l.gate.Policy = func(_ context.Context, token *validator.Token) error {
				l.saw = append(l.saw, token)
				_, err := l.policy.of(token.ClientID())
				return err
			}
		}
		stack = append(stack, l)
	}
	return stack
}

// verdict is what must become of a request at a gate: it goes on, with the token of
// a client or none, or it is refused with a status; and its policy is asked about
// that client, or not at all.
type verdict struct {
	status int // 0: it goes on
	client string
	asked  bool
}

// judge says what must become of a request at l.
func (l *layer) judge(header, field []shown) verdict {
	open := l.gate.DangerouslyReportOnly || l.config.DangerouslyReportOnly && l.gate.MaxAge == nil && l.gate.Policy == nil && !l.gate.Bound
	v := l.require(header, field)
	if open && v.status != 0 {
		if v.status != 403 {
			v.client = ""
		}
		v.status = 0
	}
	return v
}

// require is judge for a gate that is not report-only.
func (l *layer) require(header, field []shown) verdict {
	place := header
	if l.config.Credentials != nil {
		place = field
	}
	switch {
	case len(header) > 1:
		return verdict{status: 400}
	case len(header) == 0 && len(place) == 0 && l.gate.Optional:
		return verdict{}
	case len(place) == 0:
		return verdict{status: 401}
	case l.config.Credentials != nil && len(header) == 1 && header[0] != place[0]:
		return verdict{status: 400}
	case place[0].client == "":
		return verdict{status: place[0].status}
	}
	audience := l.config.Audience
	if l.gate.Audience != nil {
		audience = l.gate.Audience
	}
	if l.gate.Bound || audience != nil && !slices.Contains(audience, place[0].audience) {
		return verdict{status: 401}
	}
	client := place[0].client
	if has, _ := scopes.Parse(place[0].scopes); !l.gate.Rule.Allows(has) {
		return verdict{403, client, false}
	}
	if l.gate.Policy == nil {
		return verdict{0, client, false}
	}
	status, _ := l.policy.of(client)
	return verdict{status, client, true}
}

// ending is what runs behind a stack: it sees a request and may deny it, and else
// it is done.
type ending struct {
	see  func(*http.Request) error
	done func()
}

func (e ending) handler(auth *httpauth.Middleware) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := e.see(r); err != nil {
			auth.Deny(w, r, err)
			return
		}
		e.done()
	}
}

// stacks put a stack before an ending, in each framework.
var stacks = []func(v *validator.Validator, stack []*layer, end ending) http.Handler{
	func(v *validator.Validator, stack []*layer, end ending) http.Handler {
		api := http.Handler(end.handler(httpauth.New(v, nil)))
		for _, l := range slices.Backward(stack) {
			api = httpauth.New(v, l.config).Gate(l.gate)(api)
		}
		return api
	},
	func(v *validator.Validator, stack []*layer, end ending) http.Handler {
		router := chi.NewRouter()
		for _, l := range stack {
			router.Use(httpauth.New(v, l.config).Gate(l.gate))
		}
		router.Get("/", end.handler(httpauth.New(v, nil)))
		return router
	},
	func(v *validator.Validator, stack []*layer, end ending) http.Handler {
		e, auth := echo.New(), echoauth.New(v, nil)
		var all []echo.MiddlewareFunc
		for _, l := range stack {
			all = append(all, echoauth.New(v, l.config).Gate(l.gate))
		}
		e.GET("/", func(c echo.Context) error {
			if err := end.see(c.Request()); err != nil {
				return auth.Deny(c, err)
			}
			end.done()
			return nil
		}, all...)
		return e
	},
	func(v *validator.Validator, stack []*layer, end ending) http.Handler {
		engine, auth := gin.New(), ginauth.New(v, nil)
		for _, l := range stack {
			engine.Use(ginauth.New(v, l.config).Gate(l.gate))
		}
		engine.GET("/", func(c *gin.Context) {
			if err := end.see(c.Request); err != nil {
				auth.Deny(c, err)
			}
		}, func(*gin.Context) { end.done() })
		return engine
	},
}

// FuzzStacks: whatever stands before a handler and whatever a request shows, no
// handler and no policy sees a token that is not proven, no handler runs without one
// except through Optional and DangerouslyReportOnly, and then it sees none, and no
// policy is asked without one at all.
func FuzzStacks(f *testing.F) {
	iss := issuertest.NewInMemory(f)
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{
			URL: iss.URL(), Audience: []string{"orders", "bills"},
			Keys: &jwks.Config{HTTPClient: iss.Client()},
			Introspection: &introspection.Config{
				Auth:       introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
				HTTPClient: iss.Client(),
			},
		}},
		Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(v.Close)
	all := showable(iss)
	for framework := range byte(len(stacks)) {
		for i := range byte(len(all)) {
			f.Add(framework, []byte{0, 0, 0}, i, i, byte(0), byte(0))
			f.Add(framework, []byte{3, 0, 0, 13, 4, 0, 8, 0, 1}, i, i+1, byte(1), byte(1))
			f.Add(framework, []byte{5, 0, 0, 0, 8, 0, 4, 8, 1, 1, 0, 5}, i, byte(0), byte(2), byte(0))
			f.Add(framework, []byte{11, 12, 6, 2, 18, 0, 8, 16, 0}, byte(0), i, byte(3), byte(6))
			// Policies and handlers that say no, or cannot tell, of ann or of bob.
			f.Add(framework, []byte{0, 0, 5, 4, 0, 3}, i, byte(0), byte(1), byte(6))
			f.Add(framework, []byte{8, 0, 1, 0, 8, 6}, i, i, byte(1), byte(0))
			f.Add(framework, []byte{0, 0, 0}, i, byte(0), byte(1), byte(1))
			f.Add(framework, []byte{4, 0, 6}, i, byte(0), byte(1), byte(3))
			// A token from a field for the outer gate, none or another for the inner one.
			f.Add(framework, []byte{0, 8, 0, 3, 0, 1}, byte(0), i, byte(0), byte(5))
			f.Add(framework, []byte{0, 8, 2, 5, 0, 0}, byte(5), i, byte(1), byte(0))
		}
	}
	f.Fuzz(func(t *testing.T, framework byte, code []byte, inHeader, inField, repeat, denial byte) {
		stack, deny := layers(code), decisionOf(denial)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		var header, field []shown
		for range repeat % 3 {
			header = append(header, all[int(inHeader)%len(all)])
			r.Header["Authorization"] = append(r.Header["Authorization"], header[0].text)
		}
		if in := all[int(inField)%len(all)]; in.text != "" {
			field = append(field, in)
			r.Header.Set("X-Token", in.text)
		}
		var want verdict
		asked := make([]string, len(stack)) // whom each policy must be asked about
		for i, l := range stack {
			if want = l.judge(header, field); want.asked {
				asked[i] = want.client
			}
			if want.status != 0 {
				break
			}
		}
		wantRun := want.status == 0
		if wantRun {
			want.status, _ = deny.of(want.client)
		}
		ran, done, client := false, false, ""
		w := httptest.NewRecorder()
		stacks[int(framework)%len(stacks)](v, stack, ending{
			see: func(r *http.Request) error {
				ran = true
				if token := validator.FromContext(r.Context()); token != nil {
					client = token.ClientID()
				}
				_, err := deny.of(client)
				return err
			},
			done: func() { done = true },
		}).ServeHTTP(w, r)
		if ran != wantRun || ran && client != want.client {
			t.Errorf("ran: %v, with the token of %q; wanted %v, %q", ran, client, wantRun, want.client)
		}
		if wantDone := want.status == 0; done != wantDone || w.Code != cmp.Or(want.status, 200) {
			t.Errorf("done: %v, status %d; wanted %v, %d", done, w.Code, wantDone, want.status)
		}
		for i, l := range stack {
			var saw []string
			for _, token := range l.saw {
				if token == nil {
					t.Fatalf("the policy of gate %d was asked about no token", i)
				}
				saw = append(saw, token.ClientID())
			}
			if len(saw) > 1 || strings.Join(saw, "") != asked[i] {
				t.Errorf("the policy of gate %d was asked about %q, wanted %q", i, saw, asked[i])
			}
		}
	})
}
