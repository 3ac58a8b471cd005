package command_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestSecretsThatAreNotNeeded: a command wants the secrets of what it does, and of nothing
// else: it is 2 where one of those is missing, and goes its way where another one is.
func TestSecretsThatAreNotNeeded(t *testing.T) {
	iss := issuertest.New(t)
	good, keys := iss.Token(issuertest.Claims{Scope: "orders:read"}), put(t, keysOf(t, iss))
	all := map[string]string{ // what is written of each section
		"issuers": "issuers: [{url: '" + iss.URL() + "', audience: [" + issuertest.Audience + "], keys: {}, introspection: {auth: {clientID: m2m-client, secret: {env: RIGHT}}}}]\n",
		"client":  "client: {auth: {clientID: m2m-client, secret: {env: RIGHT}}}\n",
		"fleet":   "fleet: {url: 'redis://127.0.0.1:1', name: orders, secrets: [{env: FLEET}]}\n",
		"serve":   "serve: {proxy: nginx, from: [127.0.0.1/32], secrets: [{env: FLEET}], identity: {headers: true}, routes: {GET /orders: {scopes: [a]}}}\n",
	}
	for name, test := range map[string]struct {
		args   []string
		needs  string // sections
		answer int    // with those alone
	}{
		"explain":           {[]string{"explain"}, "issuers fleet", 0},
		"explain offline":   {[]string{"explain", "--offline", "--keys", keys}, "", 0},
		"with a proof":      {[]string{"explain", "--offline", "--keys", keys, "--proof", keys}, "fleet", 0},
		"doctor":            {[]string{"doctor", "--timeout", "5s"}, "issuers fleet", 1}, // Redis is away
		"token":             {[]string{"token"}, "client", 0},
		"revoke":            {[]string{"revoke", "--client", "x", "--timeout", "100ms"}, "fleet", 1},
		"revocations":       {[]string{"revocations", "--timeout", "100ms"}, "fleet", 1},
		"serve, to look at": {[]string{"serve", "--check"}, "issuers fleet serve", 0},
		"routes":            {[]string{"routes"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, missing := range append(strings.Fields(test.needs), "") {
				var text strings.Builder
				for section, written := range all {
					if section == missing || !strings.Contains(test.needs, section) {
						written = strings.NewReplacer("RIGHT", "NOBODY_SET_THIS", "FLEET", "NOBODY_SET_THIS").Replace(written)
					}
					text.WriteString(written)
				}
				want := test.answer
				if missing != "" {
					want = 2
				}
				r := feed(t, good, right, append(test.args, "-c", write(t, "%s", text.String()))...)
				if r.code != want || missing != "" && !strings.Contains(r.err, missing) {
					t.Errorf("without that of %q: %+v, wanted %d", missing, r, want)
				}
			}
		})
	}
}
