package jwks

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/hanging"
	"github.com/m2mguard/m2mguard/internal/textfile"
)

// requestTimeout is the field that says how long a call is waited for.
const requestTimeout = "Config.RequestTimeout"

// file is a key set in a file.
type file struct {
	path    string
	address string
	wanted  wanted
	limit   int64
	calls   hanging.Calls
	seen    os.FileInfo // of what last holds; nil if that cannot be told by it
	led     bool        // to a file, once
}

var _ source = (*file)(nil)

func newFile(c Config) *file {
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(c.File)}
	return &file{path: c.File, address: address.String(), wanted: c.wanted(), limit: c.MaxResponseBytes, calls: hanging.Calls{Timeout: c.RequestTimeout, Field: requestTimeout}}
}

func (f *file) close() {}

func (f *file) fetch(ctx context.Context, last *snapshot) (got fetched, err error) {
	got = fetched{maxAge: -1}
	seen := f.seen
	if last == nil {
		seen = nil
	}
	read, err := hanging.Do(ctx, &f.calls, func(context.Context) (textfile.Content, error) { return textfile.Read(f.path, seen, f.limit) })
	if f.led = f.led || textfile.Leads(err); f.led {
		got.address = f.address
	}
	switch {
	case err == nil && read.Same:
		got.set, got.unmodified = last, true
		return got, nil
	case err == nil:
		got.set, err = parseAny(read.Text, f.wanted)
	}
	f.seen = nil
	if err != nil {
		return got, fmt.Errorf("key set in %s: %w", textfile.Name(f.path, "jwks.Config.File", f.led), err)
	}
	f.seen = read.Seen
	return got, nil
}

// function is a key set that the caller's own function returns.
type function struct {
	get    func(context.Context) ([]byte, error)
	wanted wanted
	limit  int64
	calls  hanging.Calls
}

var _ source = (*function)(nil)

func newFunction(c Config) *function {
	return &function{get: c.Fetch, wanted: c.wanted(), limit: c.MaxResponseBytes, calls: hanging.Calls{Timeout: c.RequestTimeout, Field: requestTimeout}}
}

func (f *function) close() {}

func (f *function) fetch(ctx context.Context, _ *snapshot) (got fetched, err error) {
	got = fetched{maxAge: -1}
	text, err := hanging.Do(ctx, &f.calls, f.get)
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
