package adaptertest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
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
}

// nothing is the first of what can be shown.
func showable(iss *issuertest.Issuer) []shown {
	good := func(client, scope, audience string) shown {
		token := iss.Token(issuertest.Claims{ClientID: client, Scope: scope, Audience: []string{audience}})
		return shown{"Bearer " + token, client, scope, audience}
	}
	bad := func(kind issuertest.Bad) shown {
		return shown{text: "Bearer " + iss.Bad(kind, issuertest.Claims{ClientID: "unproven", Scope: "a b", Audience: []string{"orders"}})}
	}
	return []shown{
		{}, good("ann", "a", "orders"), good("bob", "a b", "bills"), good("cyd", "", "orders"), good("dee", "b", "orders"),
		bad(issuertest.Expired), bad(issuertest.OtherKey), bad(issuertest.Tampered), bad(issuertest.SenderBound), bad(issuertest.WrongIssuer),
		{text: "Bearer a b"}, {text: "Bearer"}, {text: "Basic dTpw"}, {text: "Bearer opaque"}, {text: "ann"},
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
	errNo = errors.New("no")
)

func inField(r *http.Request) (scheme, token string, err error) {
	scheme, token, _ = strings.Cut(r.Header.Get("X-Token"), " ")
	return scheme, token, nil
}

// layer is one gate of a stack.
type layer struct {
	gate   httpauth.Gate
	config *httpauth.Config
	denies string // the client that its policy denies
}

// layers reads a stack from two bytes each, and at most four of them.
func layers(code []byte) (stack []layer) {
	for ; len(code) >= 2 && len(stack) < 4; code = code[2:] {
		l := layer{config: &stackConfigs[int(code[1]>>3)%len(stackConfigs)]}
		l.gate.Rule = stackRules[int(code[0]>>3)%len(stackRules)]
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
		if code[1]&3 == 0 && !l.gate.DangerouslyReportOnly {
			l.denies = []string{"ann", "bob"}[code[1]>>2&1]
			l.gate.Policy = func(_ context.Context, token *validator.Token) error {
				if token.ClientID() == l.denies {
					return errNo
				}
				return nil
			}
		}
		stack = append(stack, l)
	}
	return stack
}

// passes says what must become of a request at l: whether it goes on, and with
// the token of which client.
func (l *layer) passes(header, field []shown) (on bool, client string) {
	open := l.gate.DangerouslyReportOnly || l.config.DangerouslyReportOnly && l.gate.MaxAge == nil && l.gate.Policy == nil && !l.gate.Bound
	place := header
	if l.config.Credentials != nil {
		place = field
	}
	absent := len(header) == 0 && (len(place) == 0 || place[0].text == "")
	one := len(place) == 1 && len(header) <= 1 && (l.config.Credentials == nil || len(header) == 0 || header[0] == place[0])
	switch {
	case absent && l.gate.Optional:
		return true, ""
	case !one || place[0].client == "" || l.gate.Bound,
		l.config.Audience != nil && !slices.Contains(l.config.Audience, place[0].audience):
		return open, ""
	}
	has, _ := scopes.Parse(place[0].scopes)
	if !l.gate.Rule.Allows(has) || place[0].client == l.denies {
		return open, place[0].client
	}
	return true, place[0].client
}

// stacked puts a stack before a handler, in one of the frameworks.
func stacked(framework int, v *validator.Validator, stack []layer, handler http.HandlerFunc) http.Handler {
	switch framework % 3 {
	case 1:
		e := echo.New()
		var all []echo.MiddlewareFunc
		for _, l := range stack {
			all = append(all, echoauth.New(v, l.config).Gate(l.gate))
		}
		e.GET("/", echo.WrapHandler(handler), all...)
		return e
	case 2:
		engine := gin.New()
		for _, l := range stack {
			engine.Use(ginauth.New(v, l.config).Gate(l.gate))
		}
		engine.GET("/", gin.WrapF(handler))
		return engine
	default:
		var api http.Handler = handler
		for _, l := range slices.Backward(stack) {
			api = httpauth.New(v, l.config).Gate(l.gate)(api)
		}
		return api
	}
}

// FuzzStacks: whatever stands before a handler and whatever a request shows, no
// handler sees a token that is not proven, none runs without one except through
// Optional and DangerouslyReportOnly, and then it sees none.
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
	for framework := range byte(3) {
		for i := range byte(len(all)) {
			f.Add(framework, []byte{0, 1}, i, i, byte(0))
			f.Add(framework, []byte{3, 1, 13, 9, 8, 4}, i, i+1, byte(1))
			f.Add(framework, []byte{5, 1, 0, 17, 4, 17, 1, 0}, i, byte(0), byte(2))
			f.Add(framework, []byte{11, 25, 2, 34, 8, 33}, byte(0), i, byte(3))
			// A token from a field for the outer gate, none or another for the inner one.
			f.Add(framework, []byte{0, 17, 3, 1}, byte(0), i, byte(0))
			f.Add(framework, []byte{0, 17, 5, 1}, byte(5), i, byte(1))
		}
	}
	f.Fuzz(func(t *testing.T, framework byte, code []byte, inHeader, inField, repeat byte) {
		stack := layers(code)
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
		wantRun, wantClient := true, ""
		for _, l := range stack {
			if wantRun, wantClient = l.passes(header, field); !wantRun {
				break
			}
		}
		ran, client := false, ""
		w := httptest.NewRecorder()
		stacked(int(framework), v, stack, func(_ http.ResponseWriter, r *http.Request) {
			ran = true
			if token := validator.FromContext(r.Context()); token != nil {
				client = token.ClientID()
			}
		}).ServeHTTP(w, r)
		if ran != wantRun || ran && client != wantClient || ran == (w.Code >= 400) {
			t.Errorf("ran: %v, with the token of %q, status %d; wanted %v, %q", ran, client, w.Code, wantRun, wantClient)
		}
	})
}
