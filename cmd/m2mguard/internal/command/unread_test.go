package command_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// misspelt is a list of revocations that blocks a client, but for one letter.
const misspelt = `{"m2mguard_revocations":1,"sequence":1,"entrys":[{"client":"m2m-client"}]}`

// TestUnreadList: a token is not good because nobody could read what is revoked, whatever
// the file says of the time before that; why is said, and doctor calls it bad.
func TestUnreadList(t *testing.T) {
	iss := issuertest.New(t)
	good := iss.Token(issuertest.Claims{Scope: "orders:read"})
	broken := put(t, misspelt)
	for setting, more := range map[string]string{"": "", "askIssuerAtStart": ", askIssuerAtStart: true", "dangerouslyServeAtStart": ", dangerouslyServeAtStart: true"} {
		for from, test := range map[string]struct {
			list string
			why  string
		}{
			"a file":  {"revocations: {file: " + broken + more + "}", "entrys"},
			"a fleet": {"revocations: fleet\nfleet: {url: 'redis://127.0.0.1:1', name: orders, secrets: [{env: FLEET}], revocations: {staleAfter: 20s" + more + "}}", "connection refused"},
		} {
			t.Run(from+" "+setting, func(t *testing.T) {
				config := write(t, "issuers: [{url: '%s', audience: [%s], introspection: {auth: {clientID: m2m-client, secret: {env: RIGHT}}}, keys: {}}]\n%s\n", iss.URL(), issuertest.Audience, test.list)
				r := feed(t, good, right, "explain", "-c", config, "--timeout", "2s", "--json")
				var e struct {
					Accepted bool
					Steps    []line
				}
				if err := json.Unmarshal([]byte(r.out), &e); err != nil || e.Accepted || r.code != 1 {
					t.Errorf("code %d, %v:\n%s%s", r.code, err, r.out, r.err)
				}
				found := false
				for _, s := range e.Steps {
					found = found || s.Name == "revocation" && s.Outcome == "not reached" && strings.Contains(s.NotReached, "the list of revocations was not read: ") && strings.Contains(s.NotReached, test.why)
				}
				if !found {
					t.Errorf("no step says why the list was not read:\n%s", r.out)
				}
				r = feed(t, "", right, "doctor", "-c", config, "--timeout", "2s")
				if r.code != 1 || !strings.Contains(r.out, "  bad       list: ") || from == "a file" && !strings.Contains(r.out, test.why) {
					t.Errorf("%+v", r)
				}
			})
		}
	}
	// Where nobody is asked, nobody knows either.
	config := write(t, "issuers: [{url: '%s', audience: [%s]}]\nrevocations: fleet\nfleet: {url: 'redis://127.0.0.1:1', name: orders, secrets: [{env: FLEET}], revocations: {dangerouslyServeAtStart: true}}\n", iss.URL(), issuertest.Audience)
	if r := feed(t, good, right, "explain", "-c", config, "--offline", "--keys", put(t, keysOf(t, iss))); r.code != 1 || !strings.Contains(r.out, "Redis is not asked") {
		t.Errorf("%+v", r)
	}
}
