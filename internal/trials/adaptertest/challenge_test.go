package adaptertest_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parameter is an auth-param of RFC 9110 §11.2.
var parameter = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*" + `"((?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t -\x7e])*)"`)

// The characters of RFC 6750 §3, which are fewer than a quoted-string allows.
var values = map[string]*regexp.Regexp{
	"realm":             regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`),
	"error":             regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`),
	"error_description": regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`),
	"scope":             regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$`),
}

// parseChallenge reads a Bearer challenge by the grammars of RFC 9110 §11.6.1
// and RFC 6750 §3.
func parseChallenge(text string) (map[string]string, error) {
	rest, ok := strings.CutPrefix(text, "Bearer ")
	if !ok {
		return nil, errors.New("the scheme is not Bearer")
	}
	parameters := make(map[string]string)
	for {
		match := parameter.FindStringSubmatch(rest)
		if match == nil {
			return nil, fmt.Errorf("no parameter at %q", rest)
		}
		name, value := strings.ToLower(match[1]), match[2]
		allowed := values[name]
		if allowed == nil || !allowed.MatchString(value) {
			return nil, fmt.Errorf("RFC 6750 does not know %s=%q", name, value)
		}
		if _, repeated := parameters[name]; repeated {
			return nil, fmt.Errorf("%s is repeated", name)
		}
		parameters[name] = value
		if rest = rest[len(match[0]):]; rest == "" {
			return parameters, nil
		}
		if rest, ok = strings.CutPrefix(rest, ","); !ok {
			return nil, fmt.Errorf("no comma at %q", rest)
		}
		rest = strings.TrimLeft(rest, " \t")
	}
}

func TestParseChallenge(t *testing.T) {
	got, err := parseChallenge(`Bearer realm="example", error="invalid_token",scope="a b"`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"realm": "example", "error": "invalid_token", "scope": "a b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{
		"", "Bearer", "Bearer ", "Basic realm=\"a\"", `Bearer realm="a`, `Bearer realm="a" error="b"`, `Bearer realm="a",`,
		`Bearer realm="a", realm="b"`, `Bearer realm="a\"b"`, `Bearer scope="a  b"`, `Bearer realm="é"`, `Bearer nonce="a"`,
	} {
		if _, err := parseChallenge(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
