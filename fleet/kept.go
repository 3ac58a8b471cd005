package fleet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// kept is an entry of Answers as it stands in Redis: a head that scripts read (the
// kind, 15 digits of when the endpoint was asked, in milliseconds since 1970, and the
// id), and sealed for its place and that head, until when it may stand there and the
// answer itself.
type kept struct {
	active bool
	asked  time.Time
	until  time.Time
	data   []byte
}

const (
	answerDigits = 15
	answerChars  = 22 // of an id
	answerHead   = 1 + answerDigits + answerChars
	answerMax    = 1 << 20 // of an entry, in bytes
)

// seal writes an entry for a place of one of the secrets.
func (e *kept) seal(ring *keyring, secret int, at place) string {
	kind := "i"
	if e.active {
		kind = "a"
	}
	head := fmt.Sprintf("%s%0*d%s", kind, answerDigits, max(e.asked.UnixMilli(), 0), at.id)
	text := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(e.data)), uint64(e.until.UnixMilli()))
	return head + string(ring.sealBy(forAnswers, secret, head, append(text, e.data...)))
}

var (
	errAnswerForm  = errors.New("it is of no form that is known here")
	errAnswerPlace = errors.New("it is of another place")
	errAnswerLate  = errors.New("it should have gone by itself: it was put back, or a clock is wrong")
)

// openKept reads what stands at a place. In one of those that several questions share
// it is nil for another's.
func openKept(ring *keyring, at place, entry string, shared bool, now time.Time, spread time.Duration) (*kept, error) {
	reject := func(why error) (*kept, error) {
		return nil, fmt.Errorf("fleet: an answer in Redis: %w: %w", introspection.ErrRejected, why)
	}
	if len(entry) < answerHead || len(entry) > answerMax || entry[0] != 'a' && entry[0] != 'i' || shared && entry[0] != 'i' {
		return reject(errAnswerForm)
	}
	head := entry[:answerHead]
	if head[1+answerDigits:] != at.id {
		if shared {
			return nil, nil
		}
		return reject(errAnswerPlace)
	}
	asked, err := strconv.ParseUint(head[1:1+answerDigits], 10, 63)
	if err != nil {
		return reject(errAnswerForm)
	}
	text, _, err := ring.open(forAnswers, head, []byte(entry[answerHead:]))
	switch {
	case err != nil:
		return reject(err)
	case len(text) < 8:
		return reject(errAnswerForm)
	}
	e := &kept{active: head[0] == 'a', asked: time.UnixMilli(int64(asked)), until: time.UnixMilli(int64(binary.BigEndian.Uint64(text))), data: text[8:]}
	if now.After(e.until.Add(spread + time.Second)) {
		return reject(errAnswerLate)
	}
	return e, nil
}

// beats reports whether e counts more than another about the same token. An inactive
// one does unless the other was asked for later, whatever the clocks are.
func (e *kept) beats(other *kept, spread time.Duration) bool {
	switch {
	case other == nil:
		return true
	case e.active == other.active:
		return e.asked.After(other.asked)
	case e.active:
		return e.asked.After(other.asked.Add(spread))
	}
	return !other.asked.After(e.asked.Add(spread))
}
