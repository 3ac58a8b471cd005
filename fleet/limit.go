package fleet

import (
	"bytes"
	"errors"
	"net"
	"strconv"
)

// mostRead is how many bytes one answer has: many times what 2,000 records or entries of
// the log have.
const mostRead = 64 << 20

// errLong is why a connection ends over which a longer one came.
var errLong = errors.New("fleet: Redis answered with more than 64 MiB: somebody has put something there that is none of ours")

// limited is a connection whose answers are bounded. What stands in Redis is as long as
// whoever writes there likes, and a client reads all of it before it says so.
//
// Answers of several commands come one after the other over the connection that all share,
// while others are sent, so each is counted from where it begins. One that says itself that
// it is longer is not read.
type limited struct {
	net.Conn
	most   int64
	answer answerSize // Read is called by one goroutine at a time
}

// Read implements net.Conn.
func (l *limited) Read(into []byte) (int, error) {
	n, err := l.Conn.Read(into)
	if !l.answer.add(into[:n], l.most) {
		_ = l.Conn.Close()
		return 0, errLong
	}
	return n, err
}

// answerSize follows the form of Redis' protocol (RESP 2 and 3) as far as it says where an
// answer ends.
type answerSize struct {
	read   int64 // of the answer that is under way
	text   int64 // bytes to come of a text that has a length
	values int64 // to come of this answer; 0: the next byte begins one
	line   []byte
}

// longestHead is how much of a line is kept: the kind and a number. A line may be longer
// where it is itself the value.
const longestHead = 32

// add counts what came, and reports whether no answer has more than most bytes.
func (a *answerSize) add(came []byte, most int64) bool {
	for len(came) > 0 {
		n := int64(len(came))
		ends := false
		if a.text > 0 {
			n = min(n, a.text)
			a.text -= n
			ends = a.text == 0
		} else {
			if at := bytes.IndexByte(came, '\n'); at >= 0 {
				n = int64(at) + 1
			}
			a.line = append(a.line, came[:min(n, int64(longestHead-len(a.line)))]...)
			if ends = came[n-1] == '\n'; ends {
				ends = !a.head(most)
			}
		}
		came = came[n:]
		if a.read += n; a.read > most || a.read+a.text > most || a.values > most {
			return false
		}
		if ends {
			if a.values--; a.values <= 0 {
				a.read, a.values = 0, 0
			}
		}
	}
	return true
}

// head reads the line that a value begins with, and reports whether more of it comes.
func (a *answerSize) head(most int64) (more bool) {
	line := bytes.TrimRight(a.line, "\r\n")
	a.line = a.line[:0]
	a.values = max(a.values, 1)
	if len(line) == 0 {
		return false
	}
	length, err := strconv.ParseInt(string(line[1:]), 10, 64)
	if err != nil || length < 0 {
		return false // a line of its own, or null
	}
	length = min(length, most+1)
	switch line[0] {
	case '$', '!', '=':
		a.text = length + 2
		return true
	case '*', '~', '>':
		a.values += length
	case '%':
		a.values += 2 * length
	case '|':
		a.values += 2*length + 1 // and what they are said about
	}
	return false
}
