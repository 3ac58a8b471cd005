package issuertest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"
)

// Fault answers a request in place of an endpoint. It may pass the request on to
// next, the endpoint as it is when healthy. The form of r is already parsed. A
// test can write faults of its own; one that waits must return once the
// context of r is done.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Down closes the connection without an answer.
func Down() Fault {
	return func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }
}

// Slow answers after d, or not at all if the client goes before.
func Slow(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
}

// Respond answers with a status, header fields and a body. The header may be nil.
func Respond(status int, header http.Header, body string) Fault {
	header = header.Clone()
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		copyHeader(w.Header(), header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// ServerError answers 500.
func ServerError() Fault {
	return Respond(http.StatusInternalServerError, contentType("text/plain"), "internal error")
}

// Unauthorized answers 401, as to a client with a wrong secret.
func Unauthorized() Fault {
	return Respond(http.StatusUnauthorized, contentType("application/json"), `{"error":"invalid_client"}`)
}

// Garbage answers 200 with a web page, as captive portals and error pages do.
func Garbage() Fault {
	return Respond(http.StatusOK, contentType("text/html"), "<!DOCTYPE html><title>Welcome</title>")
}

// EmptySet answers with a key set that has no keys.
func EmptySet() Fault {
	return Respond(http.StatusOK, contentType("application/jwk-set+json"), `{"keys":[]}`)
}

// Redirect sends the client elsewhere, with 307 so that a POST is repeated there
// together with its body.
func Redirect(to string) Fault {
	return Respond(http.StatusTemporaryRedirect, http.Header{"Location": {to}}, "")
}

// Truncated answers with the first half of what the endpoint would have said.
func Truncated() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		body := begin(w, r, next)
		_, _ = w.Write(body[:len(body)/2])
	}
}

// TooLarge answers what the endpoint would have said, after size bytes of white
// space, which JSON allows.
func TooLarge(size int) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		body := begin(w, r, next)
		space := strings.Repeat(" ", 32<<10)
		for left := size; left > 0; left -= len(space) {
			if _, err := io.WriteString(w, space[:min(left, len(space))]); err != nil {
				return // the client has read enough
			}
		}
		_, _ = w.Write(body)
	}
}

// Flapping fails with 500 every second time, the first time included.
func Flapping() Fault {
	var requests atomic.Int64
	failure := ServerError()
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if requests.Add(1)%2 == 1 {
			failure(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
}

// begin sends the status and header of what the endpoint would have said, and
// returns the body.
func begin(w http.ResponseWriter, r *http.Request, next http.Handler) []byte {
	whole := httptest.NewRecorder()
	next.ServeHTTP(whole, r)
	copyHeader(w.Header(), whole.Header())
	w.WriteHeader(whole.Code)
	return whole.Body.Bytes()
}

func contentType(value string) http.Header { return http.Header{"Content-Type": {value}} }
