package revocation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/hanging"
	"github.com/m2mguard/m2mguard/internal/textfile"
	"github.com/m2mguard/m2mguard/observe"
)

// Bounds of a file.
const (
	maxFileBytes = 1 << 30
	bytesOfEntry = 1 << 10 // of each entry at most, in the mean
	readTimeout  = 30 * time.Second
)

// watch is what follows a file.
type watch struct {
	list  *List
	calls hanging.Calls
	seen  os.FileInfo // of what was taken in last; nil if that cannot be told by it
	led   bool        // to a file, once
	fault string      // that was told last
}

func newWatch(l *List) *watch {
	return &watch{list: l, calls: hanging.Calls{Timeout: readTimeout, Field: "Config.File"}}
}

// run looks at the file until ctx ends.
func (w *watch) run(ctx context.Context) {
	for {
		began := time.Now()
		err := w.look(ctx)
		if ctx.Err() != nil {
			return
		}
		w.report(err)
		if _, all := errors.AsType[*keptError](err); err == nil || all {
			w.list.current(began)
		}
		pause := time.NewTimer(w.list.config.PollInterval)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// look takes the file in, if it is another one than the last time.
func (w *watch) look(ctx context.Context) error {
	c := &w.list.config
	limit := min(maxFileBytes, int64(c.MaxEntries)*bytesOfEntry)
	seen := w.seen
	read, err := hanging.Do(ctx, &w.calls, func(context.Context) (textfile.Content, error) { return textfile.Read(c.File, seen, limit) })
	w.led = w.led || textfile.Leads(err)
	if err != nil || read.Same {
		return err
	}
	w.seen = nil
	d, err := parse(read.Text, c.MaxEntries)
	if err != nil {
		return err
	}
	err = w.take(d)
	if _, all := errors.AsType[*keptError](err); err == nil || all {
		w.seen = read.Seen
	}
	return err
}

// keptError says that all of a file was taken in, and more is held.
type keptError struct{ entries int }

var _ error = (*keptError)(nil)

func (e *keptError) Error() string {
	return fmt.Sprintf("%d of the entries that count are gone from it, and its sequence is no higher than before: they go on counting until that is raised", e.entries)
}

// take merges a document. What is in it counts in any case; what is not is lifted only
// where its sequence is higher than each before.
func (w *watch) take(d document) error {
	l := w.list
	records := make([]Record, 0, len(d.entries))
	for n, e := range d.entries {
		r, err := l.Record(e, d.sequence)
		if err != nil {
			return fmt.Errorf("entry %d: %w", n+1, err)
		}
		records = append(records, r)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	add, err := l.slots(records)
	if err != nil {
		return err
	}
	if d.sequence > l.sequence {
		l.replace(add)
	} else if err := l.take(add); err != nil {
		return err
	}
	if l.sequence > d.sequence {
		return fmt.Errorf("its sequence is %d, and %d was read before: its entries count, and nothing is lifted, until it has %d or a higher one", d.sequence, l.sequence, l.sequence)
	}
	l.sequence = d.sequence
	stands, _, _ := merge(nil, add, func(s *slot) bool { return l.isOver(s, seconds(l.config.Now())) })
	if gone := l.total - len(stands); gone > 0 {
		return &keptError{gone}
	}
	return nil
}

// report tells of a fault, once for as long as it stays the same.
func (w *watch) report(err error) {
	if err == nil {
		w.fault = ""
		return
	}
	name := textfile.Name(w.list.config.File, "revocation.Config.File", w.led)
	text := strings.ReplaceAll(err.Error(), "\n", "; ") // one line, for logs
	if text == w.fault {
		return
	}
	w.fault = text
	mend := "replace it by a right one"
	if errors.Is(err, fs.ErrNotExist) {
		mend = "put it there"
	}
	w.list.tell(&observe.Event{Kind: observe.FeedFailed, Err: &fileError{fmt.Sprintf("revocation: %s: %s (what is held goes on counting; %s)", name, text, mend), err}})
}

// fileError is a fault in one line.
type fileError struct {
	text  string
	cause error
}

func (e *fileError) Error() string { return e.text }
func (e *fileError) Unwrap() error { return e.cause }

var _ error = (*fileError)(nil)
