package connectauth

import (
	"encoding/binary"
	"net/http"
	"strings"

	"connectrpc.com/connect"
)

// protocol is what a request speaks.
type protocol int

const (
	unaryProtocol protocol = iota // one answer of Connect's, or none of these
	connectStream
	grpc
	grpcWeb
)

// protocolOf goes by the Content-Type, as handlers do.
func protocolOf(r *http.Request) protocol {
	kind, _, _ := strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
	kind = strings.TrimSpace(kind)
	switch {
	case r.Method != http.MethodPost:
		return unaryProtocol
	case strings.HasPrefix(kind, "application/connect+"):
		return connectStream
	case kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+"):
		return grpc
	case kind == "application/grpc-web" || strings.HasPrefix(kind, "application/grpc-web+"):
		return grpcWeb
	}
	return unaryProtocol
}

// answer is an error as an ErrorWriter writes it.
type answer struct {
	header http.Header
	body   []byte
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(int)     {}
func (a *answer) Write(p []byte) (int, error) {
	a.body = append(a.body, p...)
	return len(p), nil
}

// ending is how a stream ends whose answer has begun: what is still to write of its body,
// and its trailers.
func (a *Auth) ending(r *http.Request, p protocol, e *connect.Error) (body []byte, trailers http.Header) {
	made := &answer{header: make(http.Header)}
	if p == grpc {
		e.Meta().Del("Www-Authenticate") // net/http lets it into no trailer (RFC 9110 §6.5.1)
	}
	_ = a.errors.Write(made, r, e) // into memory
	made.header.Del("Content-Type")
	made.header.Del("Trailer")
	switch p {
	case grpc:
		return nil, made.header
	case grpcWeb: // trailers are the last frame of its body
		const trailersFrame = 0x80
		var text strings.Builder
		for name, values := range made.header {
			for _, value := range values {
				text.WriteString(strings.ToLower(name) + ": " + value + "\r\n")
			}
		}
		frame := binary.BigEndian.AppendUint32([]byte{trailersFrame}, uint32(text.Len()))
		return append(frame, text.String()...), nil
	}
	return made.body, nil
}

// frames follows a stream's body, which is made of frames in all three protocols: a byte
// of flags, four of length, and so many more.
type frames struct {
	head [5]byte
	n    int    // bytes of head that are known
	rest uint32 // of the frame under way
}

// between reports whether a frame has ended and no other has begun.
func (f *frames) between() bool { return f.n == 0 }

// take follows p up to the end of a frame at most, and returns how much of it that is.
func (f *frames) take(p []byte) (taken int) {
	for taken < len(p) {
		if f.n < len(f.head) {
			f.head[f.n] = p[taken]
			f.n++
			taken++
			if f.n < len(f.head) {
				continue
			}
			f.rest = binary.BigEndian.Uint32(f.head[1:])
		}
		step := min(uint64(len(p)-taken), uint64(f.rest))
		taken += int(step)
		f.rest -= uint32(step)
		if f.rest == 0 {
			f.n = 0
			return taken
		}
	}
	return taken
}
