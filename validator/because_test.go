package validator_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestBecause: a program's own reason is for logs and errors.Is, and changes
// neither what kind of refusal it is nor what a client reads.
func TestBecause(t *testing.T) {
	for _, cause := range []error{
		errors.New("tenant \"evil\"\nlevel=INFO msg=\"let in\"\x1b[2J" + strings.Repeat("x", 5000)),
		validator.NewError(validator.CheckScope), validator.NewError(validator.CheckMissing), validator.NewError(validator.CheckUnavailable),
		fmt.Errorf("of another: %w", validator.ErrInvalidToken), context.Canceled, nil,
	} {
		for check := range kinds {
			plain := validator.NewError(check)
			e := plain.Because(cause)
			if e.Check() != check || e.Description() != plain.Description() || errors.Unwrap(plain) != nil {
				t.Errorf("%s because of %v became %v", check, cause, e)
			}
			checkError(t, e)
			if (cause != nil) != (errors.Unwrap(e) != nil) {
				t.Errorf("%s: cause %v", check, errors.Unwrap(e))
			}
		}
	}
	e := validator.NewError(validator.CheckPolicy).Because(fmt.Errorf("the plan: %w", &fs.PathError{Op: "read", Err: fs.ErrNotExist}))
	if _, ok := errors.AsType[*fs.PathError](e); !ok || !errors.Is(e, fs.ErrNotExist) || !strings.Contains(e.Error(), "the plan") {
		t.Errorf("%v does not match its cause", e)
	}
	again := validator.NewError(validator.CheckUnavailable).Because(retryable(t))
	if again.RetryAfter() < time.Second {
		t.Errorf("RetryAfter %v, wanted the cause's", again.RetryAfter())
	}
}

// retryable is an error that says when to try again.
func retryable(t *testing.T) error {
	t.Helper()
	_, err := new(validator.Validator).Verify(t.Context(), "x")
	return fmt.Errorf("behind: %w", err)
}

// forging is a Resolver whose error has another's words in it.
type forging struct{}

func (forging) ResolveIssuer(context.Context, string) (validator.Issuer, error) {
	return validator.Issuer{}, errors.New("the directory says: \x1b[2J\nlevel=INFO msg=\"let in\"" + strings.Repeat("é", 50_000))
}

// TestCausesAreOneLine: what was asked may have failed with words of another's.
func TestCausesAreOneLine(t *testing.T) {
	v, err := validator.New(validator.Config{Resolver: forging{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	raw := issuertest.NewInMemory(t).Token(issuertest.Claims{})
	_, refused := v.Verify(t.Context(), raw)
	for _, step := range v.Explain(t.Context(), &validator.Request{Token: raw}, validator.ExplainOptions{Network: true}).Steps {
		if step.Err != nil && step.Check == validator.CheckUnavailable {
			refused = errors.Join(refused, errors.New(step.Found))
		}
	}
	lines := strings.Split(refused.Error(), "\n")
	if len(lines) != 2 {
		t.Errorf("%d lines, wanted one of Verify's and one of Explain's", len(lines))
	}
	for _, line := range lines {
		if len(line) > 16<<10 || strings.ContainsFunc(line, unicode.IsControl) || !strings.Contains(line, `\nlevel=INFO`) {
			t.Errorf("%d bytes: %.300q", len(line), line)
		}
	}
}
