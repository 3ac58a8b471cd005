package httpauth_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
)

// TestAnswersPage: docs/answers.md, whose values CHANGELOG.md promises, has a row for
// each status and error value that a refusal can have, and no other value. The package's
// documentation has each status, too.
func TestAnswersPage(t *testing.T) {
	const page = "../../docs/answers.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("[`\"]([a-z]+(?:_[a-z]+)*)[`\"]")
	told := make(map[string]bool) // by "401 invalid_token"; whether something is answered so
	for _, row := range regexp.MustCompile(`(?m)^\|.*\| (\d{3}) \|(.*)\|$`).FindAllStringSubmatch(string(text), -1) {
		for _, m := range code.FindAllStringSubmatch(row[2], -1) {
			if m[1] != "api" { // the realm
				told[row[1]+" "+m[1]] = false
			}
		}
	}
	var missing []string
	for _, check := range checks(t) {
		status, code := httpauth.AnswerOf(validator.NewError(check))
		answer := fmt.Sprint(status, " ", code)
		if _, ok := told[answer]; ok {
			told[answer] = true
		} else if !slices.Contains(missing, answer) {
			missing = append(missing, answer)
		}
		if !strings.Contains(string(doc), fmt.Sprint("  ", status, "  ")) {
			t.Errorf("doc.go has no %d, with which %q is answered", status, check)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%s has no row for %s", page, strings.Join(missing, ", "))
	}
	for answer, given := range told {
		if !given {
			t.Errorf("%s has %s, with which nothing is answered", page, answer)
		}
	}
}
