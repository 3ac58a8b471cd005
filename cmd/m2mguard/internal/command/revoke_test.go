package command_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/redistest"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

const fleetSecret = "a-secret-of-the-fleet-in-these-tests"

var fleetEnv = map[string]string{"FLEET": fleetSecret, "OTHER": strings.Repeat("another ", 5), "RIGHT": "x"}

const ofFleet = `
issuers: [{url: https://id.example.com, audience: [x]}]
revocations: fleet
fleet: {url: 'redis://%s', name: %s, secrets: [{env: %s}]}
`

// instance is one of the API's, up until the test ends.
func instance(t *testing.T, address, secret string) *fleet.Fleet {
	t.Helper()
	f, err := fleet.New(fleet.Config{URL: "redis://" + address, Name: "orders", Secrets: func() [][]byte { return [][]byte{[]byte(secret)} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	list := f.Revocations()
	for changed := list.Changed(); !list.Stats().Loaded; changed = list.Changed() {
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			t.Fatal("the list was not filled")
		}
	}
	return f
}

func refuses(f *fleet.Fleet, token revocation.Token) bool {
	token.Issuer, token.ID = "https://id.example.com", "x"+token.ID
	if token.IssuedAt.IsZero() {
		token.IssuedAt = time.Now().Add(-time.Hour)
	}
	if token.Client == "" {
		token.Client, token.Subject = "reports", "reports"
	}
	var m revocation.Marks
	f.Revocations().Mark(&m, &token)
	return f.Revocations().Check(&m, revocation.StaleByConfig).Outcome() == revocation.Revoked
}

// TestRevoke: each kind of target, from the command line to an instance, and back again.
func TestRevoke(t *testing.T) {
	address := redistest.Start(t)
	config := write(t, ofFleet, address, "orders", "FLEET")
	api := instance(t, address, fleetSecret)
	const opaque = "an-opaque-token-of-somebody"
	for _, test := range []struct {
		name  string
		in    string
		args  []string
		token revocation.Token
	}{
		{"client", "", []string{"--client", "batch"}, revocation.Token{Client: "batch", Subject: "x"}},
		{"subject", "", []string{"--subject", "alice"}, revocation.Token{Client: "c", Subject: "alice"}},
		{"token id", "", []string{"--token-id", "x1"}, revocation.Token{ID: "1"}},
		{"key id", "", []string{"--key-id", "k1"}, revocation.Token{KeyID: "k1"}},
		{"opaque token", "Bearer " + opaque + "\n", []string{"--opaque"}, revocation.Token{Opaque: opaque}},
		{"all of it", "", []string{"--issuer", "https://id.example.com", "--everything"}, revocation.Token{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"revoke", "-c", config}, test.args...)
			if refuses(api, test.token) {
				t.Fatal("refused before")
			}
			if r := feed(t, test.in, fleetEnv, args...); r.code != 0 || !strings.Contains(r.out, "confirmed by all") || !strings.Contains(r.out, "1: "+api.Instance()) || r.err != "… 1 of 1 instances confirmed\n" && r.err != "… 0 of 1 instances confirmed\n… 1 of 1 instances confirmed\n" {
				t.Errorf("%+v", r)
			}
			if !refuses(api, test.token) {
				t.Error("accepted")
			}
			listed := append([]string{"revocations", "-c", config}, test.args[:1]...)
			if r := feed(t, test.in, fleetEnv, append(listed, without(test.args[1:], "--everything")...)...); r.code != 0 || !strings.Contains(r.out, "all tokens") {
				t.Errorf("%+v", r)
			}
			if test.name != "client" && test.name != "all of it" {
				return
			}
			if r := feed(t, test.in, fleetEnv, append(args, "--lift")...); r.code != 0 || strings.Contains(r.out, "nothing was held") {
				t.Errorf("%+v", r)
			}
			if refuses(api, test.token) {
				t.Error("refused after the lift")
			}
		})
	}
}

func without(all []string, one string) (rest []string) {
	for _, s := range all {
		if s != one {
			rest = append(rest, s)
		}
	}
	return rest
}

func TestIssuedBefore(t *testing.T) {
	address := redistest.Start(t)
	config := write(t, ofFleet, address, "orders", "FLEET")
	api := instance(t, address, fleetSecret)
	at := time.Now().Add(-time.Minute)
	before, after := revocation.Token{Client: "batch", IssuedAt: at.Add(-time.Second)}, revocation.Token{Client: "batch", IssuedAt: at.Add(10 * time.Second)}
	if r := run(t, fleetEnv, "revoke", "-c", config, "--client", "batch", "--issued-before="+at.Format(time.RFC3339)); r.code != 0 || !refuses(api, before) || refuses(api, after) {
		t.Errorf("%+v, %t, %t", r, refuses(api, before), refuses(api, after))
	}
	if r := run(t, fleetEnv, "revoke", "-c", config, "--client", "batch", "--issued-before"); r.code != 0 || !refuses(api, after) || !strings.Contains(r.out, "had been revoked before") {
		t.Errorf("%+v, %t", r, refuses(api, after))
	}
	r := run(t, fleetEnv, "revoke", "-c", config, "--client", "bacth", "--lift", "--json")
	var receipt struct {
		Confirmed []string
		All       bool `json:"confirmed_by_all"`
		Before    int  `json:"stood_before"`
		Sequence  uint64
		Done      string
	}
	if err := json.Unmarshal([]byte(r.out), &receipt); err != nil || !receipt.All || len(receipt.Confirmed) != 1 || receipt.Before != 0 || receipt.Sequence == 0 || !strings.HasPrefix(receipt.Done, "lift ") {
		t.Errorf("%v: %+v", err, r)
	}
	if r := run(t, fleetEnv, "revoke", "-c", config, "--client", "bacth", "--lift"); !strings.Contains(r.out, "nothing was held of this target") {
		t.Errorf("%+v", r)
	}
	r = run(t, fleetEnv, "revocations", "-c", config, "--json", "--most", "1")
	var all struct {
		Count, Lifts int
		Instances    []string
		Entries      []struct{ Kind, Key, Made string }
		NotListed    int `json:"not_listed"`
	}
	if err := json.Unmarshal([]byte(r.out), &all); err != nil || all.Count != 1 || all.Lifts != 1 || len(all.Instances) != 1 || len(all.Entries) != 1 || all.NotListed != 1 {
		t.Errorf("%v: %+v", err, r)
	} else if made, err := time.Parse(time.RFC3339, all.Entries[0].Made); err != nil || time.Since(made) > time.Minute || len(all.Entries[0].Key) != 32 {
		t.Errorf("%v: %+v", err, all.Entries)
	}
	if r := run(t, fleetEnv, "revocations", "-c", config, "--client", "nobody"); r.code != 1 || !strings.Contains(r.out, "nothing stands") {
		t.Errorf("%+v", r)
	}
}

// TestUnconfirmed: an entry that stands in Redis is not one that everybody refuses by.
func TestUnconfirmed(t *testing.T) {
	address := redistest.Start(t)
	alone := write(t, ofFleet, address, "elsewhere", "FLEET")
	if r := run(t, fleetEnv, "revoke", "-c", alone, "--client", "batch"); r.code != 3 || !strings.Contains(r.out, "no other instance is up") || !strings.Contains(r.out, "fleet.name or fleet.secrets") {
		t.Errorf("%+v", r)
	}
	instance(t, address, fleetSecret)
	config := write(t, ofFleet, address, "orders", "OTHER")
	if r := run(t, fleetEnv, "revoke", "-c", config, "--client", "batch"); r.code != 3 || !strings.Contains(r.out, "another secret") {
		t.Errorf("%+v", r)
	}
	if r := run(t, fleetEnv, "revocations", "-c", config); r.code != 0 || !strings.Contains(r.out, "another secret") {
		t.Errorf("%+v", r)
	}
	// One of two has it, and the other cannot read it.
	instance(t, address, fleetEnv["OTHER"])
	config = write(t, ofFleet, address, "orders", "FLEET")
	if r := run(t, fleetEnv, "revoke", "-c", config, "--client", "batch"); r.code != 3 || !strings.Contains(r.out, "another secret") || !strings.Contains(r.out, "confirmed    1: ") {
		t.Errorf("%+v", r)
	}
}

// TestNoRedis: it fails with what failed, and in time.
func TestNoRedis(t *testing.T) {
	config := write(t, ofFleet, "127.0.0.1:1", "orders", "FLEET")
	for _, args := range [][]string{{"revoke", "-c", config, "--client", "batch", "--timeout", "300ms"}, {"revocations", "-c", config, "--timeout", "300ms"}} {
		if r := run(t, fleetEnv, args...); r.code != 1 || !strings.Contains(r.err, "connection refused") || r.out != "" {
			t.Errorf("%+v", r)
		}
	}
}

// TestRevokeWrong: nothing is asked of Redis where the command line is wrong.
func TestRevokeWrong(t *testing.T) {
	config := write(t, ofFleet, "127.0.0.1:1", "orders", "FLEET")
	two := write(t, ofFleet+"client: {auth: {clientID: x, secret: {env: RIGHT}}}\n", "127.0.0.1:1", "orders", "FLEET")
	text, err := os.ReadFile(two)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(two, []byte(strings.Replace(string(text), "[{url", "[{url: https://other.example.com, audience: [x]}, {url", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	none := write(t, "issuers: [{url: https://id.example.com, audience: [x]}]\n")
	const jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln"
	for name, test := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"nobody":                {"", []string{"-c", config}, "wanted one of --client"},
		"two":                   {"", []string{"-c", config, "--client", "a", "--subject", "b"}, "wanted one of --client"},
		"nothing":               {"", []string{"-c", config, "--client", ""}, "--client is empty"},
		"a token as an id":      {"", []string{"-c", config, "--token-id", jwt}, "--token-id is a token"},
		"a token as an issuer":  {"", []string{"-c", config, "--issuer", jwt, "--any-issuer"}, "--issuer is a token"},
		"a token as a file":     {"", []string{"-c", config, "--opaque", jwt}, "never the text itself"},
		"a JWT":                 {jwt, []string{"-c", config, "--opaque"}, "--token-id with the jti"},
		"an empty token":        {"\n", []string{"-c", config, "--opaque"}, "the token is empty"},
		"a file for nothing":    {"", []string{"-c", config, "--client", "a", "token.txt"}, "FILE is for --opaque"},
		"another issuer":        {"", []string{"-c", config, "--client", "a", "--issuer", "https://id.example.com/"}, "byte for byte"},
		"one of two issuers":    {"", []string{"-c", two, "--client", "a"}, "the file has 2 issuers"},
		"all, unconfirmed":      {"", []string{"-c", config, "--issuer", "https://id.example.com"}, "--everything"},
		"no fleet":              {"", []string{"-c", none, "--client", "a"}, "has no fleet"},
		"no time":               {"", []string{"-c", config, "--client", "a", "--issued-before=yesterday"}, "RFC 3339"},
		"a lift up to a moment": {"", []string{"-c", config, "--client", "a", "--issued-before", "--lift"}, "wanted no --issued-before"},
	} {
		t.Run(name, func(t *testing.T) {
			r := feed(t, test.in, fleetEnv, append([]string{"revoke"}, test.args...)...)
			if r.code != 2 || !strings.Contains(r.err, test.want) || r.out != "" || strings.Contains(r.err, "eyJ") {
				t.Errorf("%+v, wanted %q", r, test.want)
			}
		})
	}
}

// TestNoOutputAboutRedis: nor does any output hold what Redis, its password and the
// opaque token that is revoked are.
func TestNoOutputAboutRedis(t *testing.T) {
	const opaque = "an-opaque-token-that-nobody-may-see"
	address := redistest.Start(t, "--requirepass", right["REDIS"])
	config := write(t, "issuers: [{url: 'http://127.0.0.1:1', audience: [x]}]\nrevocations: fleet\nfleet: {url: 'redis://%s', user: default, password: {env: REDIS}, name: orders, secrets: [{env: FLEET}]}\n", address)
	wrong := write(t, "issuers: [{url: 'http://127.0.0.1:1', audience: [x]}]\nfleet: {url: 'redis://%s', user: default, password: {env: WRONG}, name: orders, secrets: [{env: FLEET}]}\n", address)
	for _, args := range [][]string{
		{"revoke", "-c", config, "--opaque"}, {"revoke", "-c", config, "--opaque", "--lift", "--json"}, {"revocations", "-c", config, "--opaque"}, {"revocations", "-c", config, "--json"},
		{"doctor", "-c", config}, {"doctor", "-c", wrong}, {"revoke", "-c", wrong, "--opaque", "--timeout", "500ms"}, {"revocations", "-c", wrong, "--timeout", "500ms"},
	} {
		r := feed(t, opaque, right, args...)
		if r.out+r.err == "" {
			t.Errorf("%q writes nothing", args)
		}
		for _, hidden := range []string{opaque, right["REDIS"], right["FLEET"], right["WRONG"]} {
			if strings.Contains(r.out+r.err, hidden) {
				t.Errorf("%q writes what is to be hidden: %+v", args, r)
			}
		}
	}
}
