package token

import (
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// minHidden is how long a piece of a secret is that is hidden, in characters: a shorter
// one is also a word. Of a secret that is shorter itself, the whole is.
const minHidden = 16

// secrets are what nothing that is shown may hold.
type secrets struct {
	word   string // what is shown in their place
	pieces map[string]bool
	short  []string
}

func (s *secrets) add(texts ...string) {
	if s.pieces == nil {
		s.pieces = make(map[string]bool)
	}
	for _, text := range texts {
		if text != "" && len(text) < minHidden {
			s.short = append(s.short, text)
		}
		for n := 0; n+minHidden <= len(text); n++ {
			s.pieces[text[n:n+minHidden]] = true
		}
	}
}

// addSent adds what authenticates a client in a request (RFC 6749 §2.3), by the members
// of the form that are not there for its sake.
func (s *secrets) addSent(form, public url.Values, header http.Header) {
	for name, values := range form {
		if public[name] == nil && name != "client_id" && name != "client_assertion_type" {
			s.add(values...)
		}
	}
	for _, value := range header.Values("Authorization") {
		_, credentials, _ := strings.Cut(value, " ")
		s.add(credentials)
		if pair, err := base64.StdEncoding.DecodeString(credentials); err == nil {
			_, secret, _ := strings.Cut(string(pair), ":")
			s.add(secret)
			if secret, err := url.QueryUnescape(secret); err == nil {
				s.add(secret)
			}
		}
	}
}

// hide replaces each piece of a secret in text, as it is and as JSON, Go, HTML and URLs
// spell it.
func (s *secrets) hide(text string) string {
	hidden := make([]bool, len(text))
	s.mark(hidden, text, func(text string) (char byte, size int) { return text[0], 1 })
	s.mark(hidden, text, func(text string) (char byte, size int) {
		if text[0] == '%' { // of the secret's own
			return '%', 1
		}
		return unescaped(text)
	})
	s.mark(hidden, text, unescaped)
	var b strings.Builder
	for n := range len(text) {
		switch {
		case !hidden[n]:
			b.WriteByte(text[n])
		case n == 0 || !hidden[n-1]:
			b.WriteString(s.word)
		}
	}
	return b.String()
}

// mark notes where text has pieces of a secret, in the spelling whose next character next
// reads.
func (s *secrets) mark(hidden []bool, text string, next func(text string) (char byte, size int)) {
	plain, at := make([]byte, 0, len(text)), make([]int, 0, len(text)+1)
	for from := 0; from < len(text); {
		char, size := next(text[from:])
		plain, at = append(plain, char), append(at, from)
		from += size
	}
	at = append(at, len(text))
	until := 0 // what is before it is hidden
	for n := range plain {
		rest := plain[n:min(n+minHidden, len(plain))]
		if s.pieces[string(rest)] {
			until = n + minHidden
		}
		for _, short := range s.short {
			if strings.HasPrefix(string(rest), short) {
				until = max(until, n+len(short))
			}
		}
		for i := at[n]; n < until && i < at[n+1]; i++ {
			hidden[i] = true
		}
	}
}

// unescaped reads a character that may be escaped, and says how long it is as it stands.
func unescaped(text string) (char byte, size int) {
	switch text[0] {
	case '%':
		return hex(text, 1, 2)
	case '\\':
		bare := strings.TrimLeft(text, `\`) // a text in a text has more of them
		n := len(text) - len(bare)
		switch {
		case bare == "":
		case bare[0] == 'u':
			return hex(text, n+1, 4)
		case bare[0] == 'x':
			return hex(text, n+1, 2)
		case bare[0] < '0':
			return bare[0], n + 1
		}
	case '&':
		const longest = len("&#x0000;")
		if end := strings.IndexByte(text[:min(len(text), longest)], ';'); end > 0 {
			if one := html.UnescapeString(text[:end+1]); len(one) == 1 {
				return one[0], end + 1
			}
		}
	}
	return text[0], 1
}

// hex reads the digits of an escape that begin at from; without them, it is none.
func hex(text string, from, digits int) (char byte, size int) {
	if len(text) >= from+digits {
		if value, err := strconv.ParseUint(text[from:from+digits], 16, 7); err == nil {
			return byte(value), from + digits
		}
	}
	return text[0], 1
}
