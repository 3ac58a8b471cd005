// Package size builds the minimal services in its folders, each guarded by one party, and
// says how large the programs are and what is in them.
package size

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Service is a program in a folder of this package.
type Service struct{ Name, Folder string }

// Services are all of them: the unguarded one first, then ours.
var Services = []Service{
	{"unguarded", "unguarded"},
	{"m2mguard", "m2mguard"},
	{"golang-jwt + keyfunc", "golangjwt"},
	{"jwx jwt.Parse", "jwxparse"},
	{"go-oidc", "gooidc"},
	{"auth0 go-jwt-middleware", "auth0"},
	{"zitadel/oidc rs", "zitadel"},
}

// Program is what a service became.
type Program struct {
	Service
	// Plain is the size in bytes as go build makes it, Stripped that with -ldflags='-s -w'.
	Plain, Stripped int64
	// Modules and Packages are how many of them are linked, those of the standard library
	// and the service itself not counted as modules.
	Modules, Packages int
	// Parts say how many bytes of machine code are whose, the largest first. The rest of a
	// program, tables of functions and types and what a debugger needs, grows with it.
	Parts []Part
}

// Part is the machine code of one module, or of the standard library.
type Part struct {
	Module string
	Bytes  int64
}

// Standard is the Module of all that comes with Go.
const Standard = "the standard library"

// root is the import path of this package's folders.
const root = "github.com/m2mguard/m2mguard/bench/internal/size/"

// Measure builds services one after the other. It needs the go command, and a working
// directory within this module.
func Measure(services []Service) ([]Program, error) {
	folder, err := os.MkdirTemp("", "m2mguard-size-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	var programs []Program
	for _, s := range services {
		p, err := measure(folder, s)
		if err != nil {
			return nil, fmt.Errorf("size: %s: %w", s.Name, err)
		}
		programs = append(programs, p)
	}
	return programs, nil
}

func measure(folder string, s Service) (Program, error) {
	p := Program{Service: s}
	plain, stripped := filepath.Join(folder, "plain"), filepath.Join(folder, "stripped")
	for _, build := range []struct {
		file, flags string
		size        *int64
	}{{plain, "", &p.Plain}, {stripped, "-s -w", &p.Stripped}} {
		if _, err := command("build", "-buildvcs=false", "-ldflags="+build.flags, "-o", build.file, root+s.Folder); err != nil {
			return p, err
		}
		info, err := os.Stat(build.file)
		if err != nil {
			return p, err
		}
		*build.size = info.Size()
	}
	packages, err := command("list", "-deps", root+s.Folder)
	if err != nil {
		return p, err
	}
	p.Packages = bytes.Count(packages, []byte("\n"))
	info, err := buildinfo.ReadFile(plain)
	if err != nil {
		return p, err
	}
	var modules []string
	for _, m := range info.Deps {
		modules = append(modules, m.Path)
	}
	p.Modules = len(modules)
	symbols, err := command("tool", "nm", "-size", plain)
	if err != nil {
		return p, err
	}
	p.Parts = parts(string(symbols), append(modules, info.Main.Path))
	return p, nil
}

// command runs the go command and returns what it printed.
func command(arguments ...string) ([]byte, error) {
	c := exec.Command("go", arguments...)
	var failure strings.Builder
	c.Stderr = &failure
	output, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", arguments[0], err, strings.TrimSpace(failure.String()))
	}
	return output, nil
}

// parts sums up the functions of a program, as go tool nm -size lists them, by module. (It
// marks data that has no bytes in the file like data that has.)
func parts(symbols string, modules []string) []Part {
	sums := make(map[string]int64)
	for line := range strings.Lines(symbols) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		size, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || !strings.EqualFold(fields[2], "t") {
			continue
		}
		if home := homeOf(packageOf(fields[3]), modules); home != "" {
			sums[home] += size
		}
	}
	var list []Part
	for module, n := range sums {
		list = append(list, Part{module, n})
	}
	slices.SortFunc(list, func(a, b Part) int {
		if a.Bytes != b.Bytes {
			return int(b.Bytes - a.Bytes)
		}
		return strings.Compare(a.Module, b.Module)
	})
	return list
}

// packageOf is the import path that a symbol's name begins with: what stands before the
// first dot after the last slash, type arguments apart. It is empty for names of the
// linker's own.
func packageOf(symbol string) string {
	symbol = strings.TrimPrefix(symbol, "type:.eq.") // comparing two values of a type
	name, _, _ := strings.Cut(symbol, "[")
	slash := strings.LastIndexByte(name, '/') + 1
	base, _, found := strings.Cut(name[slash:], ".")
	if !found {
		return ""
	}
	return strings.ReplaceAll(name[:slash]+base, "%2e", ".")
}

// homeOf is the module that a package is from.
func homeOf(path string, modules []string) string {
	longest := ""
	for _, m := range modules {
		if (path == m || strings.HasPrefix(path, m+"/")) && len(m) > len(longest) {
			longest = m
		}
	}
	if longest != "" || path == "" {
		return longest
	}
	if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") || first == "main" {
		return ""
	}
	return Standard
}
