package connectauth

import (
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"
)

// errOver is what a handler gets that writes after its stream has ended.
var errOver = errors.New("connectauth: the stream has ended with its token")

// writer is a stream's answer, which can be taken from its handler between two messages.
// The handler has a header of its own, because it may still be at it then.
type writer struct {
	to     http.ResponseWriter
	header http.Header

	mu     sync.Mutex
	frames frames
	begun  bool          // the header has gone out
	over   bool          // nothing of the handler's goes out any more
	broken bool          // a write has failed, at any byte of a message
	asked  bool          // over is to be set at the end of the message under way
	ended  chan struct{} // closed then
}

var (
	_ http.ResponseWriter = (*writer)(nil)
	_ http.Flusher        = (*writer)(nil)
)

func newWriter(to http.ResponseWriter) *writer {
	return &writer{to: to, header: to.Header().Clone(), ended: make(chan struct{})}
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.begin(status)
	}
}

func (w *writer) begin(status int) {
	informational := status < 200 // of which there may be several
	w.copyHeader()
	w.begun = w.begun || !informational
	w.to.WriteHeader(status)
}

// copyHeader hands on what the handler has set, and taken away.
func (w *writer) copyHeader() {
	to := w.to.Header()
	clear(to)
	maps.Copy(to, w.header)
}

func (w *writer) Write(p []byte) (written int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun && !w.over {
		w.begin(http.StatusOK)
	}
	for !w.over && len(p) > 0 {
		n, err := w.to.Write(p[:w.frames.take(p)])
		written += n
		if err != nil {
			w.broken = true
			return written, err
		}
		p = p[n:]
		if w.asked && w.frames.between() {
			w.over = true
			close(w.ended)
		}
	}
	if w.over {
		return written, errOver
	}
	return written, nil
}

func (w *writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	if !w.begun {
		w.begin(http.StatusOK)
	}
	_ = http.NewResponseController(w.to).Flush()
}

// EnableFullDuplex, SetReadDeadline and SetWriteDeadline are for an
// http.ResponseController of the handler's.
func (w *writer) EnableFullDuplex() error {
	return w.control(func(c *http.ResponseController) error { return c.EnableFullDuplex() })
}

func (w *writer) SetReadDeadline(t time.Time) error {
	return w.control(func(c *http.ResponseController) error { return c.SetReadDeadline(t) })
}

func (w *writer) SetWriteDeadline(t time.Time) error {
	return w.control(func(c *http.ResponseController) error { return c.SetWriteDeadline(t) })
}

func (w *writer) control(do func(*http.ResponseController) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return errOver
	}
	return do(http.NewResponseController(w.to))
}

// finish hands on what the handler set at its end: trailers, and a header that nothing
// was written after.
func (w *writer) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.copyHeader()
}

// close takes the answer from the handler, after the message that is under way. It reports
// whether that has ended, and within writeWithin.
func (w *writer) close() bool {
	// A client that does not read holds the handler in Write, and the lock with it.
	_ = http.NewResponseController(w.to).SetWriteDeadline(time.Now().Add(writeWithin))
	w.mu.Lock()
	broken, between := w.broken, w.frames.between()
	w.over = broken || between
	w.asked = !w.over
	w.mu.Unlock()
	if broken || between {
		return !broken
	}
	patience := time.NewTimer(writeWithin)
	defer patience.Stop()
	select {
	case <-w.ended:
		return true
	case <-patience.C:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return true
	}
	w.over = true
	return false
}
