package providers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// GoogleServiceAccount accepts the ID tokens of Google service accounts, which
// are what machines show each other there; Google's access tokens are opaque and
// for Google's own APIs. The audience is what clients ask for, by custom the URL
// of this API. Emails lists the accepted accounts, at least one.
//
// The list is what keeps strangers out: anyone with a Google Cloud project can
// have a token made for any audience. It holds whatever is changed in the Issuer
// afterwards. An address can be given to another account after the first is
// deleted; to be proof against that, also put the accounts' unique IDs into Clients
// (azp is the unique ID, or the address for a token that was got with a key file).
//
// There are no scopes. The address is the one scope and role that a token has,
// so a route names whom it lets in:
//
//	auth.Require(scopes.Any("reports@example.iam.gserviceaccount.com"))
//
// email_verified must be true, and email be there: a client of the IAM API must
// ask for it with includeEmail. AppOnly is set: a user's ID token has the id of an
// OAuth client in azp, and an account's has the account itself.
func GoogleServiceAccount(audience string, emails ...string) validator.Issuer {
	emails = slices.Clone(emails)
	args := of("GoogleServiceAccount")
	args.audience(audience)
	if len(emails) == 0 {
		args.wrong("there are no emails, wanted the service accounts to let in: anybody can get a token for any audience from Google")
	}
	for _, email := range emails {
		if !serviceAccount.MatchString(email) {
			args.wrong("the email %s is no service account's, wanted addresses in domains below %s, as tokens have them", shownEmail(email), serviceAccountDomain)
		}
	}
	iss := validator.Issuer{
		URL:        "https://accounts.google.com",
		Audience:   []string{audience},
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Match:       map[string][]string{"email_verified": {"true"}},
			ScopeClaims: []string{"email"},
			RoleClaims:  []string{"email"},
			App:         googleAccount,
		},
		Keys: &jwks.Config{URL: "https://www.googleapis.com/oauth2/v3/certs"},
	}
	iss.Insist(func(t *validator.Token) error {
		var email string
		switch err := t.Claim("email", &email); {
		case err != nil:
			return err
		case !slices.Contains(emails, email):
			return fmt.Errorf("%s is no listed account", email)
		case !googleAccount(t):
			return fmt.Errorf("azp is not that of account %s", email)
		}
		return nil
	})
	return args.on(iss)
}

// serviceAccountDomain is Google's alone: all addresses of service accounts are
// in domains below it.
const serviceAccountDomain = ".gserviceaccount.com"

var serviceAccount = regexp.MustCompile(`^[^@:/A-Z\s\pC]+@[a-z0-9.-]+` + regexp.QuoteMeta(serviceAccountDomain) + `$`)

// shownEmail is an address as an error may quote it, unless it is a URL.
func shownEmail(email string) string {
	if strings.ContainsAny(email, ":/") {
		return shown(email)
	}
	return quote.Value(email)
}

// googleAccount reports whether a token is an account's, and not one that an OAuth
// client got for a user.
func googleAccount(t *validator.Token) bool {
	var c struct {
		Email string `json:"email"`
		Party string `json:"azp"`
	}
	return t.Claims(&c) == nil && c.Party != "" && (c.Party == t.Subject() || c.Party == c.Email)
}
