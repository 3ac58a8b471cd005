package validator_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
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
