package providers

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// arguments are those of one preset. What is wrong with them is New's to report,
// once, and whatever is changed in the Issuer afterwards.
type arguments struct {
	preset string
	faults []string
}

func of(preset string) *arguments { return &arguments{preset: preset} }

// wrong notes a fault.
func (a *arguments) wrong(format string, args ...any) {
	a.faults = append(a.faults, "providers."+a.preset+": "+fmt.Sprintf(format, args...))
}

// url notes a fault of an address that others are below.
func (a *arguments) url(name, value string) {
	if a.address(name, value) && strings.Contains(value+"/", "/.well-known/") {
		a.wrong("the %s is %s, wanted the issuer, not its document", name, shownURL(value))
	}
}

// address notes a fault of an address: that it is none, or has more than a scheme, a
// host and a path. Whether it may be http is for the finished Issuer to say.
func (a *arguments) address(name, value string) (good bool) {
	err := fetch.CheckURL(value, true)
	switch {
	case err != nil:
		a.wrong("the %s: %v", name, err)
	case unseen(value) || fetch.WithoutQuery(value) != value:
		a.wrong("the %s is %s, wanted a URL without query and blanks", name, shownURL(value))
	default:
		return true
	}
	return false
}

// issuer notes a fault of an issuer that is given as it is.
func (a *arguments) issuer(url string) {
	if url == "" {
		a.wrong("the issuer URL is empty, wanted the issuer identifier such as https://id.example.com")
		return
	}
	a.url("issuer URL", url)
}

// audience notes a fault of the names of the API.
func (a *arguments) audience(names ...string) {
	if len(names) == 0 {
		a.wrong("Audience is empty, wanted the name of this API as tokens have it in aud")
	}
	for _, name := range names {
		switch {
		case name == "":
			a.wrong("Audience holds an empty name, wanted that of this API as tokens have it in aud")
		case unseen(name):
			a.wrong("the audience is %s, wanted a name without blanks and line breaks", shown(name))
		}
	}
}

// clients notes a fault of a list that must not be empty.
func (a *arguments) clients(why string, ids []string) {
	if len(ids) == 0 {
		a.wrong("Clients is empty, wanted at least one client id: %s", why)
	}
	for _, id := range ids {
		switch {
		case id == "":
			a.wrong("Clients is empty or holds an empty id, wanted client ids: %s", why)
		case unseen(id):
			a.wrong("a client id is %s, wanted one without blanks and line breaks", shown(id))
		}
	}
}

// auth notes that nobody would ask.
func (a *arguments) auth(auth introspection.ClientAuth) {
	if auth == nil {
		a.wrong("auth is nil, so Introspection.Config.Auth is missing: the endpoint must know who asks (RFC 7662 §2.1)")
	}
}

// on is iss, made into one that New refuses if an argument was wrong. What it
// holds can be changed as that of a good one, and is never used.
func (a *arguments) on(iss validator.Issuer) validator.Issuer {
	if a.faults == nil {
		return iss
	}
	for _, fault := range a.faults {
		iss.Refuse(fault)
	}
	iss.URL = "refused by providers." + a.preset // nor is a copy of it any token's iss
	iss.TrustDomain = ""
	if iss.Keys != nil {
		iss.Keys = &jwks.Config{}
	}
	if iss.Introspection != nil {
		iss.Introspection = &introspection.Config{Auth: nobody{}}
	}
	return iss
}

// nobody stands for how to authenticate in what New refuses.
type nobody struct{}

var _ introspection.ClientAuth = nobody{}

// Authenticate implements [introspection.ClientAuth].
func (nobody) Authenticate(context.Context, *introspection.Request) error {
	return errors.New("providers: the preset was refused")
}

// hostName matches a host alone: no scheme, port or path.
var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)

// unseen reports whether a name holds a blank, or what nobody sees.
func unseen(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return r == unicode.ReplacementChar || r == ' ' || !unicode.IsPrint(r) })
}

// shown is an argument as an error may quote it: what has an "@" in it may be a
// URL with a password.
func shown(argument string) string {
	if strings.Contains(argument, "@") {
		return "not shown, because it may hold a password"
	}
	return "'" + strings.TrimSuffix(strings.TrimPrefix(quote.Value(argument), `"`), `"`) + "'"
}

// shownURL is shown without a query, or not where it may be a key.
func shownURL(argument string) string {
	switch {
	case strings.Contains(argument, "@"):
		return shown(argument) // whatever is a query there
	case fetch.Hides(argument):
		return fetch.Shown(argument)
	}
	return shown(fetch.WithoutQuery(argument))
}
