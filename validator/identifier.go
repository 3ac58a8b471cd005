package validator

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/metadata"
	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/jwks"
)

// discovery says what would be discovered from an issuer's URL, because nothing
// else says where it is.
type discovery struct {
	keys, endpoint         bool
	allowKeys, allowAnswer bool // http
}

func (c *Issuer) discovery() discovery {
	var d discovery
	introspects := c.Introspection != nil
	if c.Keys != nil {
		d.keys = discovers(c.Keys)
		d.allowKeys = c.Keys.DangerouslyAllowHTTP
	} else {
		d.keys = !introspects || c.SignedAnswersFor != ""
	}
	if introspects {
		d.endpoint = c.Introspection.Issuer == "" && c.Introspection.Endpoint == "" && c.Introspection.Introspector == nil
		d.allowAnswer = c.Introspection.DangerouslyAllowHTTP
	}
	d.allowKeys = d.allowKeys || c.DangerouslyAllowHTTP
	d.allowAnswer = d.allowAnswer || c.DangerouslyAllowHTTP
	return d
}

// discovers reports whether nothing says where keys are, so that the issuer must.
func discovers(c *jwks.Config) bool {
	return c.Issuer == "" && c.URL == "" && c.Set == nil && c.File == "" && c.Fetch == nil
}

// check says what is wrong with url as an address to discover from, and which
// field goes without it.
func (d discovery) check(url string) string {
	var err error
	instead := "Keys.URL"
	if d.keys {
		err = metadata.CheckIssuer(url, d.allowKeys)
	}
	if d.endpoint && err == nil {
		if err = metadata.CheckIssuer(url, d.allowAnswer); err != nil {
			instead = "Introspection.Endpoint"
		}
	}
	if err == nil {
		return ""
	}
	return asField(url, err) + "; where nothing can be discovered from the issuer's name, " + instead + " is the address"
}

// asField turns an error of a check into what follows a field's name.
func asField(url string, err error) string {
	if rest, ok := strings.CutPrefix(err.Error(), fetch.Shown(url)+" "); ok {
		return " " + rest
	}
	return ": " + err.Error()
}

// checkIdentifier says what is wrong with an issuer's name even if nothing is
// fetched from it. It is any string (RFC 7519 §4.1.1), such as "acme.com"; but
// what was meant for a URL must be one, because no token will hold it.
func checkIdentifier(id string) string {
	switch {
	case id == "":
		return fmt.Sprintf(" is empty, wanted the issuer identifier such as %q", "https://id.example.com")
	case hasUnseen(id) || strings.Contains(id, " "):
		return " holds a blank or what cannot be seen, wanted what tokens have in iss"
	}
	scheme, _, isURL := strings.Cut(id, "://")
	if isURL && (strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http")) {
		if err := fetch.CheckURL(id, true); err != nil {
			return asField(id, err)
		}
	} else if isMisspelt(id) || !isURL && strings.Contains(id, "//") {
		return fmt.Sprintf(" is not an absolute URL such as %q, and reads as if it was meant for one", "https://id.example.com")
	}
	switch {
	case strings.Contains(id+"/", "/.well-known/"):
		return " is the address of the issuer's document, wanted the issuer: " + fetch.Shown(withoutWellKnown(id))
	case isKeyAddress(id):
		return " is the address of keys or of an endpoint, wanted the issuer, from which they are discovered; an address of keys is for Keys.URL"
	}
	return ""
}

// isKeyAddress reports whether a URL ends as key sets' addresses and Keycloak's endpoints
// do, and no issuer.
func isKeyAddress(url string) bool {
	_, url, _ = strings.Cut(url, "://")
	for _, end := range []string{".json", "/jwks", "/jwks_uri", "/discovery/keys", "/discovery/v2.0/keys"} {
		if strings.HasSuffix(url, end) {
			return true
		}
	}
	for _, end := range []string{"/certs", "/keys"} {
		before, ok := strings.CutSuffix(url, end)
		if n := len(before) - 1; ok && n >= 0 && '0' <= before[n] && before[n] <= '9' && strings.HasSuffix(before[:n], "/oauth2/v") {
			return true
		}
	}
	return strings.Contains(url+"/", "/protocol/openid-connect/")
}

// isMisspelt matches https without all that belongs to it, or with letters in
// another order.
func isMisspelt(id string) bool {
	id = strings.ToLower(id)
	rest := strings.TrimLeft(id, "htps")
	letters := id[:len(id)-len(rest)]
	if letters == "http" || letters == "https" {
		return strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "/")
	}
	return 2 <= len(letters) && len(letters) <= 7 && strings.HasPrefix(strings.TrimPrefix(rest, ":"), "//")
}

// withoutWellKnown is the issuer that a document's address is made from (OpenID
// Connect Discovery 1.0 §4, RFC 8414 §3.1).
func withoutWellKnown(address string) string {
	before, after, _ := strings.Cut(fetch.WithoutQuery(address), "/.well-known")
	_, path, inserted := strings.Cut(strings.TrimPrefix(after, "/"), "/")
	if inserted && path != "" {
		before += "/" + path
	}
	return before
}

// hasUnseen reports whether a name holds what nobody sees: a blank at an end, a
// line break such as files end in, a control or formatting character, or bytes
// that are no character.
func hasUnseen(name string) bool {
	return strings.TrimSpace(name) != name || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) })
}

// checkNames says which of the names in a list no token can hold.
func checkNames(names []string, blanks bool) error {
	for _, name := range names {
		switch {
		case name == "":
			return errors.New("an empty name")
		case hasUnseen(name):
			return fmt.Errorf("%s, which has a blank at an end or what cannot be seen, as names do that were read from a file with its line break", quote.Value(name))
		case !blanks && strings.Contains(name, " "):
			return fmt.Errorf("%s, which has a blank in it: several names are several strings", quote.Value(name))
		}
	}
	return nil
}
