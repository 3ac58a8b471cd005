package httpauth_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
)

// TestEachCheckIsDocumented: docs/troubleshooting.md has a row for each check of
// validator, with the status that a client gets; and it and
// docs/operate.md say how many there are.
func TestEachCheckIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Each check\n")
	section, _, _ = strings.Cut(section, "\n## ")
	told := make(map[string]string) // check to status
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| ([0-9]+) \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(section, -1) {
		told[row[1]] = row[2]
	}
	all := checks(t)
	for _, check := range all {
		status, _ := httpauth.AnswerOf(validator.NewError(check))
		if told[string(check)] != strconv.Itoa(status) {
			t.Errorf("docs/troubleshooting.md says that %s is %q, and it is %d", check, told[string(check)], status)
		}
		delete(told, string(check))
	}
	if len(told) > 0 || len(all) < 20 {
		t.Errorf("%d checks; the page has others: %v", len(all), told)
	}
	metrics, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := fmt.Sprintf("one of these %d.", len(all)); !strings.Contains(section, n) {
		t.Errorf("docs/troubleshooting.md does not say %q", n)
	}
	for _, n := range []string{"| %d checks × I × 2 |", "| (3 + %d checks) × I |"} {
		if n = fmt.Sprintf(n, len(all)); !strings.Contains(string(metrics), n) {
			t.Errorf("docs/operate.md does not say %q", n)
		}
	}
}
