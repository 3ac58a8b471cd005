package fromqueue_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/examples/recipes/fromqueue"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// audience is what issuers give tokens of producers for.
var audience = []string{fromqueue.Audience}

func TestMessages(t *testing.T) {
	iss := issuertest.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := issuertest.Claims{Audience: audience, Scope: "orders:write"}
	bound := issuertest.Claims{Audience: audience, Scope: "orders:write", JWKThumbprint: issuertest.Thumbprint(key.Public())}
	certified := issuertest.Claims{Audience: audience, Scope: "orders:write", CertificateThumbprint: "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}
	tests := map[string]struct {
		topic, token string
		want         fromqueue.Verdict
	}{
		"good":                   {"orders.created", iss.Token(good), fromqueue.Done},
		"good, the second":       {"orders.cancelled", iss.Token(issuertest.Claims{Audience: audience, Scope: "orders:admin"}), fromqueue.Done},
		"no token":               {"orders.created", "", fromqueue.Dead},
		"another's key":          {"orders.created", iss.Bad(issuertest.OtherKey, good), fromqueue.Dead},
		"no token's text":        {"orders.created", "a token", fromqueue.Dead},
		"it waited for too long": {"orders.created", iss.Bad(issuertest.Expired, good), fromqueue.Dead},
		"too few scopes":         {"orders.cancelled", iss.Token(good), fromqueue.Dead},
		"for the API":            {"orders.created", iss.Token(issuertest.Claims{Scope: "orders:write"}), fromqueue.Dead},
		"bound to a key":         {"orders.created", iss.Token(bound), fromqueue.Dead},
		"bound to a certificate": {"orders.created", iss.Token(certified), fromqueue.Dead},
		"no rule":                {"orders.deleted", iss.Token(good), fromqueue.Dead},
		"no topic":               {"", iss.Token(good), fromqueue.Dead},
	}
	for name, proofs := range map[string]*dpop.Config{"without DPoP": nil, "with DPoP": {}} {
		t.Run(name, func(t *testing.T) {
			var handled []string
			tell := broker(t, &fromqueue.Consumer{
				Validator: newValidator(t, validator.Config{Issuers: trust(iss), DPoP: proofs}),
				Work: func(ctx context.Context, m fromqueue.Message) error {
					handled = append(handled, m.Topic+" of "+validator.FromContext(ctx).ClientID())
					return nil
				},
			})
			for name, tc := range tests {
				before := len(handled)
				if got := tell(fromqueue.Message{Topic: tc.topic, Token: tc.token, Body: []byte("{}")}); got != tc.want {
					t.Errorf("%s: %s, wanted %s", name, got, tc.want)
				}
				if worked := len(handled) > before; worked != (tc.want == fromqueue.Done) {
					t.Errorf("%s: the work was done: %v", name, worked)
				}
				if len(handled) > before && handled[before] != tc.topic+" of "+issuertest.ClientID {
					t.Errorf("%s: %s", name, handled[before])
				}
			}
		})
	}
}

// TestWhatMayComeAgain: an outage is not the message's fault, and neither is the work's.
func TestWhatMayComeAgain(t *testing.T) {
	iss := issuertest.New(t)
	good := fromqueue.Message{Topic: "orders.created", Token: iss.Token(issuertest.Claims{Audience: audience, Scope: "orders:write"})}
	work := errors.New("the database is down")
	tell := broker(t, &fromqueue.Consumer{
		Validator: newValidator(t, validator.Config{Issuers: trust(iss)}),
		Work:      func(context.Context, fromqueue.Message) error { return work },
	})
	if got := tell(good); got != fromqueue.Later {
		t.Errorf("the work fails: %s", got)
	}
	work = nil
	if got := tell(good); got != fromqueue.Done {
		t.Errorf("the work does not fail: %s", got)
	}
	iss.SetFault(issuertest.Discovery, issuertest.Down())
	tell = broker(t, &fromqueue.Consumer{
		Validator: newValidator(t, validator.Config{Issuers: trust(iss)}),
		Work:      func(context.Context, fromqueue.Message) error { return nil },
	})
	if got := tell(good); got != fromqueue.Later {
		t.Errorf("the issuer is down: %s", got)
	}
}

// TestEvents: each message is told of once, by what was decided in the end.
func TestEvents(t *testing.T) {
	iss := issuertest.New(t)
	var events []string
	tell := broker(t, &fromqueue.Consumer{
		Validator: newValidator(t, validator.Config{Issuers: trust(iss), Observer: observe.Observer{
			Accepted: true,
			Event: func(_ context.Context, e *observe.Event) {
				if e.Route != "" {
					events = append(events, e.Route+" "+e.Check)
				}
			},
		}}),
		Work: func(context.Context, fromqueue.Message) error { return nil },
	})
	for _, scope := range []string{"orders:write", "orders:read"} {
		tell(fromqueue.Message{Topic: "orders.created", Token: iss.Token(issuertest.Claims{Audience: audience, Scope: scope})})
	}
	if diff := cmp.Diff([]string{"orders.created ", "orders.created scope"}, events); diff != "" {
		t.Error(diff)
	}
}

// trust is an issuer whose tokens are good for the queue and for the API beside it.
func trust(iss *issuertest.Issuer) []validator.Issuer {
	return []validator.Issuer{{URL: iss.URL(), Audience: []string{fromqueue.Audience, issuertest.Audience}}}
}

func newValidator(t *testing.T, c validator.Config) *validator.Validator {
	t.Helper()
	v, err := validator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// broker delivers messages over a connection, and returns the verdicts that come back.
func broker(t *testing.T, c *fromqueue.Consumer) (tell func(fromqueue.Message) fromqueue.Verdict) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in, out := json.NewDecoder(conn), json.NewEncoder(conn)
		for {
			var m fromqueue.Message
			if in.Decode(&m) != nil || out.Encode(c.Take(context.Background(), m)) != nil {
				return
			}
		}
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = listener.Close()
		<-ended
	})
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	return func(m fromqueue.Message) (verdict fromqueue.Verdict) {
		t.Helper()
		if err := out.Encode(m); err != nil {
			t.Fatal(err)
		}
		if err := in.Decode(&verdict); err != nil {
			t.Fatal(err)
		}
		return verdict
	}
}
