package connectauth

import (
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
)

// errOver is what a handler gets that writes after that.
var errOver = errors.New("connectauth: the answer has ended with its token, or by Deny")

// writer is an answer that can be taken from its handler, before it has begun or between
// two messages of a stream: by close, or because the handler has denied the call. The
// handler has a header of its own, because it may still be at it then.
type writer struct {
	to     http.ResponseWriter
	framed bool // the body is made of frames
	header http.Header
	denied atomic.Pointer[httpauth.Failure] // what Deny wants the answer to be

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

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.taken() {
		w.begin(status)
	}
}

// taken reports whether the answer is the handler's no more: it has denied the call, and
// nothing of an answer or no half of a message has gone out.
func (w *writer) taken() bool {
	if !w.over && w.denied.Load() != nil && (!w.begun || w.framed && w.frames.between()) {
		w.leave()
	}
	return w.over
}

// leave has nothing of the handler's go out any more.
func (w *writer) leave() {
	w.over = true
	if w.asked {
		close(w.ended)
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
	if !w.taken() && !w.begun {
		w.begin(http.StatusOK)
	}
	for !w.taken() && len(p) > 0 {
		next := p
		if w.framed {
			next = p[:w.frames.take(p)]
		}
		n, err := w.to.Write(next)
		written += n
		if err != nil {
			w.broken = true
			return written, err
		}
		p = p[n:]
		if w.asked && w.frames.between() && !w.over {
			w.leave()
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
	if w.taken() {
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
// was written after. It reports whether the answer is not the handler's, and is still to
// be given.
func (w *writer) finish() (refused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken() {
		return true
	}
	w.copyHeader()
	return false
}

// close takes the answer from the handler, after the message that is under way. It reports
// whether that has ended, and within writeWithin.
func (w *writer) close() bool {
	// A client that does not read holds the handler in Write, and the lock with it.
	_ = http.NewResponseController(w.to).SetWriteDeadline(time.Now().Add(writeWithin))
	w.mu.Lock()
	broken, between := w.broken, w.frames.between()
	w.over = broken || between
	if w.asked = !w.over; w.asked {
		w.ended = make(chan struct{})
	}
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
