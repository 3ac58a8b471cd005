package main

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// module is one of the repository's.
type module struct {
	path string
	dir  string
}

// forDevelopers are the modules that nobody gets by a proxy: bench measures the
// checkout that it is in, and says so by a replace.
var forDevelopers = []string{"bench"}

// find lists the modules of the checkout.
func find(root string) (modules []module, err error) {
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if left(entry.Name()) && name != root {
				return fs.SkipDir
			}
			for _, dir := range forDevelopers {
				if name == filepath.Join(root, dir) {
					return fs.SkipDir
				}
			}
		case entry.Name() == "go.mod":
			m, err := read(filepath.Dir(name))
			if err != nil {
				return err
			}
			modules = append(modules, m)
		}
		return nil
	})
	return modules, err
}

// left are the folders that are no part of what is published: Git's and the like.
func left(folder string) bool { return strings.HasPrefix(folder, ".") || folder == "node_modules" }

// read reads a module's path, and refuses a go.mod by which nobody can install it.
func read(dir string) (module, error) {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return module{}, err
	}
	m := module{dir: dir}
	for line := range strings.Lines(string(text)) {
		switch fields := strings.Fields(line); {
		case len(fields) == 0:
		case fields[0] == "module" && len(fields) > 1:
			m.path = fields[1]
		case fields[0] == "replace":
			return m, fmt.Errorf("%s/go.mod holds a replace, with which go install refuses it: a go.work beside it is for the work in the tree", dir)
		}
	}
	if m.path == "" {
		return m, fmt.Errorf("%s/go.mod names no module", dir)
	}
	return m, nil
}

// publish writes what a proxy answers about m (https://go.dev/ref/mod#goproxy-protocol).
func (m module) publish(proxy string, at time.Time) error {
	folder := filepath.Join(proxy, filepath.FromSlash(escaped(m.path)), "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": at.UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	definition, err := os.ReadFile(filepath.Join(m.dir, "go.mod"))
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": definition} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	file, err := os.Create(filepath.Join(folder, version+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(m.archive(file), file.Close())
}

// archive writes the module's files, without those of modules within it.
func (m module) archive(file *os.File) error {
	archive := zip.NewWriter(file)
	err := filepath.WalkDir(m.dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == m.dir {
			return err
		}
		if entry.IsDir() {
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil || left(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		local, err := filepath.Rel(m.dir, name)
		if err != nil || !entry.Type().IsRegular() || local == "go.work" || local == "go.work.sum" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		w, err := archive.Create(path.Join(m.path+"@"+version, filepath.ToSlash(local)))
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
	return errors.Join(err, archive.Close())
}

// escaped is a module's path as proxies have it: "!a" for "A".
func escaped(path string) string {
	var b strings.Builder
	for _, letter := range path {
		if unicode.IsUpper(letter) {
			b.WriteByte('!')
		}
		b.WriteRune(unicode.ToLower(letter))
	}
	return b.String()
}
