package introspection_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/m2mguard/m2mguard/introspection"
)

// TestOddAnswersShutNoWayForOthers: whoever holds a token may have had something
// put into the answer about it that no strict reader takes, or that not even
// encoding/json does, which stops at 10,000 levels.
func TestOddAnswersShutNoWayForOthers(t *testing.T) {
	for name, odd := range map[string]string{
		"10,001 levels":        strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
		"10,001 objects":       strings.Repeat(`{"":`, 10_001) + "0" + strings.Repeat("}", 10_001),
		"30,000 levels":        strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000),
		"a name twice, deeply": strings.Repeat("[", 12_000) + `{"a":1,"a":2}` + strings.Repeat("]", 12_000),
		"not UTF-8, deeply":    strings.Repeat("[", 12_000) + "\"\xff\"" + strings.Repeat("]", 12_000),
		"a lone surrogate":     `"\udfff"`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, newUpstream(func(token string) answer {
					if token == "good" {
						return answer{body: activeBody}
					}
					return answer{body: `{"active":true,"x":` + odd + `}`}
				}), nil)
				for i := range 20 {
					expect(t, c, tokenNumber(i), "unavailable")
				}
				expect(t, c, "good", "active")
			})
		})
	}
}

// verifierFunc is an AnswerVerifier.
type verifierFunc func(answer string) ([]byte, error)

func (f verifierFunc) VerifyAnswer(_ context.Context, answer string) ([]byte, error) {
	return f(answer)
}

// TestAboutToken: a proven answer that cannot be read counts as a plain one does,
// and its error is found.
func TestAboutToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := errors.New("the signed answer is odd")
		u := newUpstream(func(token string) answer {
			return answer{header: map[string]string{"Content-Type": "application/token-introspection+jwt"}, body: token}
		})
		c := newClient(t, u, func(cfg *introspection.Config) {
			cfg.Answers = verifierFunc(func(answer string) ([]byte, error) {
				if answer == "good" {
					return []byte(activeBody), nil
				}
				return nil, introspection.AboutToken(odd)
			})
		})
		for i := range 20 {
			_, err := c.Introspect(t.Context(), tokenNumber(i))
			if !errors.Is(err, introspection.ErrUnavailable) || !errors.Is(err, odd) || !strings.Contains(err.Error(), odd.Error()) {
				t.Fatalf("%v", err)
			}
		}
		expect(t, c, "good", "active")
	})
}
