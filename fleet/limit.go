package fleet

import (
	"errors"
	"net"
	"sync/atomic"
)

// mostRead is how many bytes come over a connection without anything being sent: many
// times what 2,000 records or entries of the log have. A PING of the client's own is
// something, too, but it ends a connection that has no answer to it for two seconds.
const mostRead = 64 << 20

// errLong is why a connection ends over which more came.
var errLong = errors.New("fleet: Redis answered with more than 64 MiB: somebody has put something there that is none of ours")

// limited is a connection whose answers are bounded. What stands in Redis is as long as
// whoever writes there likes, and a client reads all of it before it says so.
type limited struct {
	net.Conn
	most int64
	read atomic.Int64 // since something was sent
}

// Read implements net.Conn.
func (l *limited) Read(into []byte) (int, error) {
	n, err := l.Conn.Read(into)
	if l.read.Add(int64(n)) > l.most {
		_ = l.Conn.Close()
		return 0, errLong
	}
	return n, err
}

// Write implements net.Conn.
func (l *limited) Write(from []byte) (int, error) {
	l.read.Store(0)
	return l.Conn.Write(from)
}
