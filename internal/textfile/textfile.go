// Package textfile reads files that are looked at again and again, and that somebody
// else replaces meanwhile.
package textfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// ErrTooLarge is a file over its limit.
var ErrTooLarge = errors.New("over the limit")

// Content is what a file holds.
type Content struct {
	Text []byte
	Same bool // as seen before, and not read
	// Seen is to be handed to the next Read; nil if a change might not be told by it.
	Seen os.FileInfo
}

// coarsest is how long after a change some file systems give the next one the same
// time.
const coarsest = 2 * time.Second

// Read reads a regular file, unless it is the one that was seen, by inode, time and
// size. Its error does not name the path.
func Read(path string, seen os.FileInfo, limit int64) (Content, error) {
	if info, err := os.Stat(path); err == nil && seen != nil && unchanged(seen, info) {
		return Content{Same: true, Seen: seen}, nil
	}
	opened, err := open(path)
	if err != nil {
		return Content{}, &unopened{withoutPath(err), hasFolder(path)}
	}
	defer func() { _ = opened.Close() }()
	before, err := opened.Stat() // of what is read, whatever the path leads to now
	switch {
	case err != nil:
		return Content{}, withoutPath(err)
	case !before.Mode().IsRegular():
		return Content{}, errors.New("it is not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(opened, limit+1))
	if err != nil {
		return Content{}, withoutPath(err)
	}
	if int64(len(text)) > limit {
		return Content{}, fmt.Errorf("%w of %d bytes", ErrTooLarge, limit)
	}
	if after, err := opened.Stat(); err != nil || !unchanged(before, after) {
		return Content{}, errors.New("it was written to while it was read")
	}
	read := Content{Text: text}
	if time.Since(before.ModTime()) > coarsest {
		read.Seen = before
	}
	return read, nil
}

// unopened says that what a path leads to was not opened.
type unopened struct {
	error
	near bool // the folder that the path names is there
}

func (e *unopened) Unwrap() error { return e.error }

// hasFolder reports whether a path names a folder, other than the root, that is there.
func hasFolder(path string) bool {
	folder := filepath.Dir(path)
	if filepath.Base(path) == path || folder == filepath.Dir(folder) {
		return false
	}
	info, err := os.Stat(folder)
	return err == nil && info.IsDir()
}

// Leads reports whether the path that Read failed for, or did not, leads to anything, if
// only to a folder that lacks the file.
func Leads(err error) bool {
	e, not := errors.AsType[*unopened](err)
	return !not || e.near || errors.Is(err, os.ErrPermission)
}

// Name is how an error about a file names it: by its path, if that led to anything. One
// that never did may be a secret that was written in the place of a path, of which only
// the field, such as jwks.Config.File, and the length are told.
func Name(path, field string, led bool) string {
	if !led {
		return fmt.Sprintf("the file of %s (its name, of %d bytes, is not shown since it led nowhere)", field, len(path))
	}
	return "the file " + quote.Value(path)
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
