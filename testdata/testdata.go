// Package testdata embeds the fixtures of the module's tests: private test
// keys, tokens that real authorization servers issued, and examples from RFCs,
// each with the outcome that a verifier must come to.
//
// The keys are published with the source. Nothing outside a test may trust one.
package testdata

import (
	"embed"
	"encoding/json"
	"path"
	"strings"
)

//go:embed keys/*.jwk.json recorded/*.json rfc/vectors.json
var files embed.FS

// read returns one embedded file. It panics if the file is missing, which a
// build with its files intact rules out.
func read(name string) []byte {
	data, err := files.ReadFile(name)
	if err != nil {
		panic("testdata: " + err.Error())
	}
	return data
}

// decode parses one embedded file into dst, and panics like [read].
func decode(name string, dst any) {
	if err := json.Unmarshal(read(name), dst); err != nil {
		panic("testdata: " + name + ": " + err.Error())
	}
}

// names lists the files of an embedded folder without their suffix, sorted.
func names(folder, suffix string) []string {
	entries, err := files.ReadDir(folder)
	if err != nil {
		panic("testdata: " + err.Error())
	}
	var list []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(path.Base(e.Name()), suffix); ok {
			list = append(list, name)
		}
	}
	return list
}
