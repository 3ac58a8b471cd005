package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/quote"
)

// file is a key set in a file.
type file struct {
	path    string
	address string
	wanted  wanted
	limit   int64
	calls   calls
	seen    os.FileInfo // of what last holds; nil if that cannot be told by it
}

var _ source = (*file)(nil)

func newFile(c Config) *file {
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(c.File)}
	return &file{path: c.File, address: address.String(), wanted: c.wanted(), limit: c.MaxResponseBytes, calls: calls{timeout: c.RequestTimeout}}
}

func (f *file) close() {}

// content is what a file holds.
type content struct {
	text []byte
	info os.FileInfo
	same bool // as seen before, and not read
}

func (f *file) fetch(ctx context.Context, last *snapshot) (got fetched, err error) {
	got = fetched{address: f.address, maxAge: -1}
	seen := f.seen
	if last == nil {
		seen = nil
	}
	read, err := call(ctx, &f.calls, func(context.Context) (content, error) { return readFile(f.path, seen, f.limit) })
	switch {
	case err == nil && read.same:
		got.set, got.unmodified = last, true
		return got, nil
	case err == nil:
		got.set, err = parseAny(read.text, f.wanted)
	}
	f.seen = nil
	if err != nil {
		return got, fmt.Errorf("key set in the file %s: %w", quote.Value(f.path), err)
	}
	if time.Since(read.info.ModTime()) > coarsest {
		f.seen = read.info
	}
	return got, nil
}

// coarsest is how long after a change some file systems give the next one the same
// time.
const coarsest = 2 * time.Second

// readFile reads a file, unless it is the one that was seen, by inode, time and size.
func readFile(path string, seen os.FileInfo, limit int64) (content, error) {
	if info, err := os.Stat(path); err == nil && seen != nil && unchanged(seen, info) {
		return content{same: true}, nil
	}
	opened, err := openFile(path)
	if err != nil {
		return content{}, withoutPath(err)
	}
	defer func() { _ = opened.Close() }()
	before, err := opened.Stat() // of what is read, whatever the path leads to now
	switch {
	case err != nil:
		return content{}, withoutPath(err)
	case !before.Mode().IsRegular():
		return content{}, errors.New("it is not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(opened, limit+1))
	if err != nil {
		return content{}, withoutPath(err)
	}
	if int64(len(text)) > limit {
		return content{}, fmt.Errorf("%w of %d bytes", fetch.ErrTooLarge, limit)
	}
	if after, err := opened.Stat(); err != nil || !unchanged(before, after) {
		return content{}, errors.New("it was written to while it was read")
	}
	return content{text: text, info: before}, nil
}

func unchanged(before, after os.FileInfo) bool {
	return os.SameFile(before, after) && before.ModTime().Equal(after.ModTime()) && before.Size() == after.Size()
}

// withoutPath is an error of package os, without what the message has said already.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// function is a key set that the caller's own function returns.
type function struct {
	get    func(context.Context) ([]byte, error)
	wanted wanted
	limit  int64
	calls  calls
}

var _ source = (*function)(nil)

func newFunction(c Config) *function {
	return &function{get: c.Fetch, wanted: c.wanted(), limit: c.MaxResponseBytes, calls: calls{timeout: c.RequestTimeout}}
}

func (f *function) close() {}

func (f *function) fetch(ctx context.Context, _ *snapshot) (got fetched, err error) {
	got = fetched{maxAge: -1}
	text, err := call(ctx, &f.calls, f.get)
	switch {
	case err != nil:
	case int64(len(text)) > f.limit:
		err = fmt.Errorf("%w of %d bytes", fetch.ErrTooLarge, f.limit)
	default:
		got.set, err = parseAny(text, f.wanted)
	}
	if err != nil {
		return got, fmt.Errorf("key set of Config.Fetch: %w", err)
	}
	return got, nil
}

// calls are those of what may go on when its context has ended: a function that is not
// ours, or a file system that hangs.
type calls struct {
	timeout time.Duration
	hanging atomic.Int32
}

// mostHanging is how many may go on; then there is no other.
const mostHanging = 4

// call waits for f no longer than its time, nor than ctx, and leaves it behind.
func call[T any](ctx context.Context, c *calls, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if c.hanging.Load() >= mostHanging {
		return none, fmt.Errorf("%d calls go on beyond their time (Config.RequestTimeout), so there is no other", mostHanging)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	done := make(chan result, 1)
	c.hanging.Add(1)
	go func() {
		var r result
		defer func() {
			if value := recover(); value != nil {
				r.err = fmt.Errorf("it panicked with a %T", value)
			}
			c.hanging.Add(-1)
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
