package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
)

// The page is one document: nothing of it is fetched but what it answers.
var (
	//go:embed page.html
	document string
	//go:embed page.css
	style string
	//go:embed page.js
	script string

	layout = template.Must(template.New("page").Parse(document))
)

// render returns the page, and the policy under which a browser applies this style and
// this script and no others, sends what they take nowhere else, and makes no markup of
// text (Content Security Policy 3, Trusted Types).
func render(c Config) (page []byte, policy string) {
	shown := struct {
		Style   template.CSS
		Script  template.JS
		File    string
		Issuers []string
		Offline bool
	}{template.CSS(style), template.JS(script), term.Clean(c.File), nil, c.Offline}
	for _, iss := range c.Issuers {
		shown.Issuers = append(shown.Issuers, term.Clean(iss))
	}
	var b bytes.Buffer
	if err := layout.Execute(&b, shown); err != nil {
		panic(err) // of what is embedded: a test would have seen it
	}
	return b.Bytes(), "default-src 'none'; script-src " + hashed(script) + "; style-src " + hashed(style) + "; connect-src 'self'; " +
		"form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
}

// hashed is a source of a policy: this text and no other.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
