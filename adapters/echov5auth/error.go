package echov5auth

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
)

// Error is a refusal on Echo's error path, for an HTTPErrorHandler of the API's own:
//
//	if refused, ok := errors.AsType[*echov5auth.Error](err); ok {
//		return c.JSON(refused.Failure.Status, refused.Failure.Body)
//	}
//
// errors.Is finds validator's sentinels in it.
type Error struct {
	// Failure is why, and what its client may read of it.
	Failure *httpauth.Failure
}

var (
	_ echo.HTTPStatusCoder = (*Error)(nil)
	_ echo.ProblemErrorer  = (*Error)(nil)
	_ json.Marshaler       = (*Error)(nil)
)

// Error says what the client reads, which is all that a handler with exposeError may
// hand on. The reason, for logs, is that of Unwrap.
func (e *Error) Error() string { return e.Failure.Body.Error + ": " + e.Failure.Body.Description }

// Unwrap is the *validator.Error.
func (e *Error) Unwrap() error { return e.Failure.Err }

// StatusCode is the status that Echo answers with.
func (e *Error) StatusCode() int { return e.Failure.Status }

// MarshalJSON is the body that Echo's default handler writes: Failure.Body.
func (e *Error) MarshalJSON() ([]byte, error) { return json.Marshal(e.Failure.Body) }

// ProblemError is what echo.ProblemDetailsHTTPErrorHandler writes (RFC 9457).
func (e *Error) ProblemError() *echo.ProblemError {
	return &echo.ProblemError{Title: http.StatusText(e.Failure.Status), Status: e.Failure.Status, Detail: e.Failure.Body.Description}
}
