package validator_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestObserver(t *testing.T) {
	iss := issuertest.New(t)
	var seen events
	var keys []jwks.Event
	v := newJWT(t, iss, func(c *validator.Config) {
		c.Observer = seen.observe
		c.Issuers[0].Keys.MinFetchInterval = time.Millisecond
		c.Issuers[0].Keys.OnEvent = func(e jwks.Event) { keys = append(keys, e) } // told first
	})
	iss.SetFault(issuertest.JWKS, issuertest.Garbage())
	_, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{}))
	wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
	v.Close() // and so every event was told

	refused := seen.of(validator.TokenRefused)
	if len(refused) != 1 || refused[0].Check != validator.CheckUnavailable || refused[0].Err != err {
		t.Errorf("refused tokens %+v, wanted one with the error of Verify", refused)
	}
	failed := seen.of(validator.KeySetEvent)
	if len(failed) != 1 || len(keys) != 1 {
		t.Fatalf("key set events %+v, own events %+v, wanted one of each", failed, keys)
	}
	if e := failed[0]; e.Issuer != iss.URL() || e.Keys == nil || e.Keys.Kind != jwks.RefreshFailed || e.Keys.URL != iss.JWKSURL() || e.Err == nil {
		t.Errorf("event %+v", e)
	}
	if diff := cmp.Diff(keys[0].Kind, failed[0].Keys.Kind); diff != "" {
		t.Error(diff)
	}
}

func TestObserverOfIntrospection(t *testing.T) {
	iss := issuertest.New(t)
	var seen events
	var own []introspection.Event
	v := newOpaque(t, iss, func(c *validator.Config) {
		c.Observer = seen.observe
		c.Issuers[0].Introspection.OnEvent = func(e introspection.Event) { own = append(own, e) }
	})
	raw := iss.Opaque(issuertest.Claims{})
	iss.SetFault(issuertest.Introspection, issuertest.Unauthorized())
	wantOutcome(t, "unavailable")(v.Verify(t.Context(), raw))
	iss.ClearFaults()
	wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
	v.Close()

	var kinds []introspection.EventKind
	for _, e := range seen.of(validator.IntrospectionEvent) {
		if e.Issuer != iss.URL() || e.Introspection.Endpoint != iss.IntrospectionURL() {
			t.Errorf("event %+v", e)
		}
		kinds = append(kinds, e.Introspection.Kind)
	}
	if diff := cmp.Diff([]introspection.EventKind{introspection.IntrospectionFailed, introspection.Recovered}, kinds); diff != "" {
		t.Error(diff)
	}
	if len(own) != 2 {
		t.Errorf("own OnEvent was told %d times, wanted 2", len(own))
	}
}

// TestDefaultObserver logs with slog's default logger: what anybody can cause at
// Debug, what concerns the issuer at Warn.
func TestDefaultObserver(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for level, want := range map[slog.Level][]string{
		slog.LevelDebug: {"level=DEBUG msg=\"m2mguard: token refused\" check=shape", "level=WARN msg=\"m2mguard: refresh failed\"", "level=INFO msg=\"m2mguard: key set changed\""},
		slog.LevelInfo:  {"level=WARN msg=\"m2mguard: refresh failed\"", "level=INFO msg=\"m2mguard: key set changed\""},
	} {
		t.Run(level.String(), func(t *testing.T) {
			var log bytes.Buffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})))
			iss := issuertest.New(t)
			v := newJWT(t, iss, func(c *validator.Config) { c.Issuers[0].Keys.MinFetchInterval = time.Millisecond })
			wantOutcome(t, "shape")(v.Verify(t.Context(), "opaque"))
			iss.SetFault(issuertest.JWKS, issuertest.ServerError())
			wantOutcome(t, "unavailable")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
			iss.ClearFaults()
			eventually(t, "the keys are there", func() bool { return v.Ready(t.Context()) == nil })
			v.Close()
			for _, line := range want {
				if !strings.Contains(log.String(), line) {
					t.Errorf("no %s in\n%s", line, log.String())
				}
			}
			if level > slog.LevelDebug && strings.Contains(log.String(), "token refused") {
				t.Errorf("a refused token above Debug:\n%s", log.String())
			}
		})
	}
}
