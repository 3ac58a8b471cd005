package providers

import (
	"fmt"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// refused is iss made into one that validator.New refuses. URL becomes the
// reason, which New prints as the issuer's name; without Keys and Introspection
// it is where keys would be discovered, and no fetchable URL. Audience, Clients
// and the rest stay, so that New finds their own faults, too.
func refused(iss validator.Issuer, function, format string, args ...any) validator.Issuer {
	iss.URL = "providers." + function + ": " + fmt.Sprintf(format, args...)
	iss.Keys, iss.Introspection = nil, nil
	return iss
}

// shown is an argument as an error may quote it: what has an "@" in it may be a
// URL with a password, and New prints no such issuer in full.
func shown(argument string) string {
	if strings.Contains(argument, "@") {
		return "not shown, because it may hold a password"
	}
	return "'" + argument + "'"
}
