//go:build interop

package proxies_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"text/template"
)

// TestDocs compares docs/certificates.md with what the proxies of these tests run on.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/certificates.md")
	if err != nil {
		t.Fatal(err)
	}
	used := make(map[string]string) // configurations by the word behind the fence
	for _, p := range products {
		var config bytes.Buffer
		err := template.Must(template.New(p.name).Parse(p.config)).Execute(&config, settings{
			Folder: "/etc/" + p.program,
			Fronts: []*front{{Listen: "127.0.0.1:8443", API: "127.0.0.1:8080", Secret: secret}},
		})
		if err != nil {
			t.Fatal(err)
		}
		used[strings.TrimSuffix(p.program, "2")] += config.String()
	}
	shown := 0
	for _, block := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllSubmatch(page, -1) {
		config, ok := used[string(block[1])]
		if !ok {
			continue // Go
		}
		shown++
		for line := range strings.Lines(string(block[2])) {
			if line = strings.TrimSpace(line); !strings.Contains(config, line) {
				t.Errorf("%s is shown with %q, which is tried nowhere", block[1], line)
			}
		}
	}
	if shown != len(used) {
		t.Errorf("%d configurations are shown, wanted %d", shown, len(used))
	}
}
