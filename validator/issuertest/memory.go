package issuertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// memoryTransport runs a handler for each request, without a network. Nothing
// in it waits for anything but the request and the reader of the answer, so it
// works in a synctest bubble.
type memoryTransport struct {
	host    string
	handler http.Handler
	ended   context.Context // done when the answers under way are cut short

	mu       sync.Mutex // orders starting a handler and waiting for all
	closed   bool
	handlers sync.WaitGroup
}

var _ http.RoundTripper = (*memoryTransport)(nil)

// RoundTrip answers a request. Like a real transport it fails with the error of
// the request's context, and if nobody listens at the address.
func (m *memoryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	if req.URL.Scheme != "http" || req.URL.Host != m.host {
		return nil, refused()
	}

	ctx, cancel := context.WithCancel(req.Context())
	incoming := req.Clone(ctx)
	incoming.RequestURI = req.URL.RequestURI()
	incoming.RemoteAddr = "127.0.0.1:0"
	if incoming.Host == "" {
		incoming.Host = m.host
	}
	if incoming.Body == nil {
		incoming.Body = http.NoBody
	}

	body, pipe := io.Pipe()
	answer := &memoryAnswer{header: make(http.Header), body: pipe, ready: make(chan struct{})}
	if !m.start(func() {
		defer cancel()
		// A reader of the body learns that the request was given up, and a
		// writer that nobody reads.
		defer context.AfterFunc(ctx, func() { _ = pipe.CloseWithError(context.Cause(ctx)) })()
		// Close waits for no rest of a request either, where closing the client's body
		// ends its Read, as with a pipe. Where it does not, it waits without end.
		defer context.AfterFunc(m.ended, func() {
			cancel()
			_ = incoming.Body.Close()
		})()
		answer.serve(m.handler, incoming)
	}) {
		cancel()
		return nil, refused()
	}

	select {
	case <-answer.ready:
	case <-ctx.Done():
		if err := req.Context().Err(); err != nil {
			return nil, err
		}
		<-answer.ready
	}
	if answer.aborted {
		if err := req.Context().Err(); err != nil {
			return nil, err
		}
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", answer.status, http.StatusText(answer.status)),
		StatusCode:    answer.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        answer.sent,
		Body:          &memoryBody{PipeReader: body, cancel: cancel},
		ContentLength: -1,
		Request:       req,
	}, nil
}

// start runs a handler, unless the transport is closed.
func (m *memoryTransport) start(handler func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.handlers.Go(handler)
	return true
}

// close refuses further requests and returns once no handler runs.
func (m *memoryTransport) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.handlers.Wait()
}

// refused is the error of a connection to an address where nobody listens.
func refused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// memoryAnswer is an answer in the making.
type memoryAnswer struct {
	header http.Header
	body   *io.PipeWriter
	ready  chan struct{} // closed once the fields below are set

	started bool // read and written by the handler alone
	status  int
	sent    http.Header
	aborted bool // there is no answer
}

var _ http.ResponseWriter = (*memoryAnswer)(nil)

func (a *memoryAnswer) Header() http.Header { return a.header }

func (a *memoryAnswer) WriteHeader(status int) {
	if a.started {
		return
	}
	a.started, a.status, a.sent = true, status, a.header.Clone()
	close(a.ready)
}

func (a *memoryAnswer) Write(data []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(data)
}

// serve runs the handler to its end. As in net/http, a handler that panics with
// ErrAbortHandler cuts the connection.
func (a *memoryAnswer) serve(handler http.Handler, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			a.WriteHeader(http.StatusOK)
			_ = a.body.Close()
			return
		}
		if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		_ = a.body.CloseWithError(io.ErrUnexpectedEOF)
		if !a.started {
			a.started, a.aborted = true, true
			close(a.ready)
		}
	}()
	handler.ServeHTTP(a, r)
}

// memoryBody is the body of an answer. Closing it tells the handler that the
// client has gone.
type memoryBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *memoryBody) Close() error {
	err := b.PipeReader.Close()
	b.cancel()
	return err
}
