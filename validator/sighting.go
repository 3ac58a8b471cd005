package validator

import (
	"strings"
	"unicode/utf8"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
)

// sighting is what a refused token says of itself, for the observer alone.
type sighting struct {
	issuer              string // as it is known here
	foreign             string // where it is not
	client, subject, id string
	scopes              scopes.Set
	proven              bool
}

// sighting is what c says; issuer is empty while the token's own is not known.
func (c *contents) sighting(issuer string) sighting {
	s := sighting{issuer: issuer, client: c.clientID, subject: c.subject, id: c.id, scopes: c.scopes}
	if issuer == "" {
		s.foreign = c.issuer
	}
	return s
}

// on returns a copy of err, which others may share, with what was seen.
func (s *sighting) on(err error) error {
	e, ok := err.(*Error)
	if !ok || e.said != nil || e.token != nil || e == errClosed {
		return err
	}
	told := &struct {
		Error
		said sighting
	}{*e, *s}
	told.Error.said = &told.said
	return &told.Error
}

func (s *sighting) fill(e *observe.Event) {
	fact := func(text string) observe.Fact {
		if s.proven || text == "" {
			return observe.Fact{Text: text}
		}
		return observe.Fact{Text: cut(text), Unproven: true}
	}
	e.Issuer = fact(s.issuer)
	if !s.proven {
		e.Issuer.Text = s.issuer // it is ours
	}
	e.ForeignIssuer = cut(s.foreign)
	e.Client, e.Subject, e.TokenID = fact(s.client), fact(s.subject), fact(s.id)
	e.Scopes = fact(s.scopes.String())
}

// cut bounds what anybody can make up.
func cut(text string) string {
	const longest = 200
	if len(text) > longest {
		end := longest
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return text
}

// minHidden is the length from which on a text is hidden that holds the token.
// Shorter ones are in many a name, and nobody's secret.
const minHidden = 16

// hide empties texts that hold the token: an issuer's answer may repeat it as some
// identifier.
func hide(token string, texts ...*string) {
	for _, text := range texts {
		if strings.Contains(*text, token) {
			*text = ""
		}
	}
}
