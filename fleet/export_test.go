package fleet

import (
	"testing"
	"time"
)

// Hurry has an instance take a fraction of the time for all that it does. It is called
// before anything else.
func (f *Fleet) Hurry(by int) {
	n := time.Duration(by)
	t := &f.feed.tempo
	*t = tempo{beat: usual.beat / n, answer: usual.answer / n, reconcile: usual.reconcile / n, least: usual.least / n, retry: usual.retry / n, repeat: usual.repeat / n}
}

// Tidy is how often all that stands in Redis is looked at.
func (f *Fleet) Tidy(every time.Duration) { f.feed.tempo.reconcile = every }

// Single keeps a client from following what a miniredis says that its cluster is.
func (f *Fleet) Single() { f.own.option.ForceSingleClient = true }

// Dial makes a Conn by rueidis, and what ends it.
func Dial(t *testing.T, address string) (Conn, func()) {
	t.Helper()
	r, err := newRedis("redis://"+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.option.ForceSingleClient = true
	return r, r.close
}
