package siege_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
)

// inMemory sends requests to a handler without a socket, so that it works in a
// synctest bubble. The handler runs on the sender's goroutine: what it waits for
// must end with the request's context.
type inMemory struct{ http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if dropped := m.serve(w, r.Clone(r.Context())); dropped {
		return nil, io.ErrUnexpectedEOF
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res := w.Result()
	if res.Body == nil {
		res.Body = io.NopCloser(bytes.NewReader(nil))
	}
	res.Request = r
	return res, nil
}

// serve runs the handler and reports whether it cut the connection.
func (m inMemory) serve(w http.ResponseWriter, r *http.Request) (dropped bool) {
	defer func() {
		if value := recover(); value == http.ErrAbortHandler {
			dropped = true
		} else if value != nil {
			panic(value)
		}
	}()
	m.ServeHTTP(w, r)
	return false
}
