package issuertest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"
)

// Reset sends the first half of what the endpoint would have said, and then
// resets the connection.
func Reset() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		body := begin(w, r, next)
		_, _ = w.Write(body[:len(body)/2])
		control := http.NewResponseController(w)
		_ = control.Flush()
		if conn, _, err := control.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // so that Close sends RST
			}
			_ = conn.Close()
			return
		}
		panic(http.ErrAbortHandler) // in memory there is nothing to reset
	}
}

// Drip sends what the endpoint would have said: the header at once, and one byte
// of the body after each pause.
func Drip(pause time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		body := begin(w, r, next)
		control := http.NewResponseController(w)
		_ = control.Flush() // in memory nothing is held back
		for i := range body {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
			if _, err := w.Write(body[i : i+1]); err != nil {
				return // the client has gone
			}
			_ = control.Flush()
		}
	}
}

// GzipBomb answers as TooLarge does, compressed to about a thousandth.
func GzipBomb(size int) Fault {
	space := compress(strings.Repeat(" ", size))
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		copyHeader(w.Header(), whole.Header())
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(whole.Code)
		_, _ = w.Write(append(slices.Clip(space), compress(whole.Body.String())...)) // members add up (RFC 1952 §2.2)
	}
}

// compress returns text as one member of a gzip file.
func compress(text string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = io.WriteString(z, text) // a Buffer takes everything
	_ = z.Close()
	return out.Bytes()
}
