package conformance

import (
	"net/url"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func bearer(token string) []string { return []string{"Bearer " + token} }

var read = issuertest.Claims{Scope: "orders:read"}

// tokens is what one mode is asked without DPoP, certificates and revocation.
func tokens(w *world) []Case {
	return append(append(headers(w.token(w.iss, read)), goodAndBad(w)...), ofMode(w)...)
}

// headers are about the Authorization field alone.
func headers(good string) []Case {
	return []Case{
		{Name: "no header", Want: unauthorized},
		{Name: "empty header", Authorization: []string{""}, Want: unauthorized},
		{Name: "another scheme", Authorization: []string{"Basic dTpw"}, Want: unauthorized},
		{Name: "a scheme that begins like Bearer", Authorization: []string{"BearerX " + good}, Want: unauthorized},
		{Name: "a scheme that is DPoP", Authorization: []string{"DPoP " + good}, Want: unauthorized},
		{Name: "a token without a scheme", Authorization: []string{good}, Want: unauthorized},
		{Name: "token in the query", Query: "access_token=" + url.QueryEscape(good), Want: unauthorized},
		{Name: "token in a form body", Method: "POST", Form: "access_token=" + url.QueryEscape(good), Want: unauthorized},
		{Name: "no header on a route for nobody", Route: "nobody", Want: unauthorized},
		{Name: "no header, group", Route: "group/read", Want: unauthorized},
		{Name: "no header, group and route", Route: "group/write", Want: unauthorized},

		{Name: "lower-case scheme", Authorization: []string{"bearer " + good}, Want: letIn("orders:read")},
		{Name: "upper-case scheme", Authorization: []string{"BEARER " + good}, Want: letIn("orders:read")},
		{Name: "several spaces", Authorization: []string{"Bearer   " + good}, Want: letIn("orders:read")},

		{Name: "scheme alone", Authorization: []string{"Bearer"}, Want: badRequest},
		{Name: "repeated, the same", Authorization: []string{"Bearer " + good, "Bearer " + good}, Want: badRequest},
		{Name: "repeated, two schemes", Authorization: []string{"Bearer " + good, "Basic dTpw"}, Want: badRequest},
		{Name: "repeated, two other schemes", Authorization: []string{"Basic dTpw", "Basic dTpw"}, Want: badRequest},
		{Name: "repeated, one empty", Authorization: []string{"", "Bearer " + good}, Want: badRequest},
		{Name: "comma-joined", Authorization: []string{"Bearer " + good + ", Bearer " + good}, Want: badRequest},
		{Name: "comma-joined without a space", Authorization: []string{"Bearer " + good + ",Bearer"}, Want: badRequest},
		{Name: "a space in it", Authorization: []string{"Bearer " + good + " x"}, Want: badRequest},
		{Name: "a tab for the space", Authorization: []string{"Bearer\t" + good}, Want: badRequest},
		{Name: "a comma for the space", Authorization: []string{"Bearer," + good}, Want: badRequest},
		{Name: "not ASCII", Authorization: []string{"Bearer " + good + "é"}, Want: badRequest},
		{Name: "a parameter", Authorization: []string{`Bearer token="` + good + `"`}, Want: badRequest},
		{Name: "padding inside", Authorization: []string{"Bearer a=b"}, Want: badRequest},
		{Name: "padding alone", Authorization: []string{"Bearer ="}, Want: badRequest},
		{Name: "malformed, on a route for nobody", Route: "nobody", Authorization: []string{"Bearer a b"}, Want: badRequest},
	}
}

// goodAndBad are tokens of either kind.
func goodAndBad(w *world) []Case {
	good := bearer(w.token(w.iss, read))
	write := bearer(w.token(w.iss, issuertest.Claims{Scope: "orders:write"}))
	both := bearer(w.token(w.iss, issuertest.Claims{Scope: "orders:write orders:read"}))
	none := bearer(w.token(w.iss, issuertest.Claims{}))
	bad := func(kind issuertest.Bad) []string { return bearer(w.bad(w.iss, kind, read)) }
	return []Case{
		{Name: "good", Authorization: good, Want: letIn("orders:read")},
		{Name: "good, again", Authorization: good, Want: letIn("orders:read")},
		{Name: "good, POST", Method: "POST", Authorization: good, Want: letIn("orders:read")},
		{Name: "good, and a proof that nobody asks for", Authorization: good, Proofs: []Proof{{Line: "a"}, {Line: "b"}}, Want: letIn("orders:read")},
		{Name: "any token", Route: "any", Authorization: none, Want: letIn("")},
		{Name: "one of two", Route: "either", Authorization: good, Want: letIn("orders:read")},
		{Name: "group", Route: "group/read", Authorization: good, Want: letIn("orders:read")},
		{Name: "group and route", Route: "group/write", Authorization: both, Want: letIn("orders:read orders:write")},

		{Name: "wrong audience", Authorization: bad(issuertest.WrongAudience), Want: invalidToken(validator.CheckAudience, "The access token is meant for another API.")},
		{Name: "no audience", Authorization: bad(issuertest.NoAudience), Want: invalidToken(validator.CheckAudience, "The access token does not name the API that it is meant for.")},
		{Name: "unknown issuer", Authorization: bad(issuertest.WrongIssuer), Want: invalidToken(validator.CheckIssuer, "The access token is from an issuer that this API does not trust.")},
		{Name: "sender-bound", Authorization: bad(issuertest.SenderBound), Want: invalidToken(validator.CheckBinding, boundSentence)},
		{Name: "too large", Authorization: bearer(strings.Repeat("a", validator.DefaultMaxTokenBytes+1)), Want: tooLarge},

		{Name: "missing scope", Authorization: write, Want: insufficientScope("orders:read"), Holds: "orders:write"},
		{Name: "no scope", Authorization: none, Want: insufficientScope("orders:read")},
		{Name: "one of two scopes missing", Route: "export", Authorization: good, Want: insufficientScope("orders:read orders:export"), Holds: "orders:read"},
		{Name: "neither of two", Route: "either", Authorization: write, Want: insufficientScope("orders:admin"), Holds: "orders:write"},
		{Name: "scope of the group missing", Route: "group/write", Authorization: write, Want: insufficientScope("orders:read"), Holds: "orders:write"},
		{Name: "scope of the route in a group missing", Route: "group/write", Authorization: good, Want: insufficientScope("orders:write"), Holds: "orders:read"},
		{Name: "zero rule", Route: "nobody", Authorization: good, Want: insufficientScope(""), Holds: "orders:read"},
		{Name: "rule of nothing", Route: "none", Authorization: good, Want: insufficientScope(""), Holds: "orders:read"},
		{Name: "expired, on a route for nobody", Route: "nobody", Authorization: bad(issuertest.Expired), Want: w.expired()},
		{Name: "expired", Authorization: bad(issuertest.Expired), Want: w.expired()},
	}
}

const boundSentence = "The access token is bound to a sender and cannot be used as a bearer token."

var inactive = invalidToken(validator.CheckActive, "The access token is not active.")

// expired differs: of an opaque token only the issuer knows, and it says no more
// than that.
func (m *mode) expired() Want {
	if m.name == "opaque" {
		return inactive
	}
	return invalidToken(validator.CheckExpiry, "The access token has expired.")
}

// ofMode are tokens that exist in one mode alone.
func ofMode(w *world) []Case {
	if w.name == "opaque" {
		return []Case{
			{Name: "revoked", Authorization: bearer(w.iss.BadOpaque(issuertest.Revoked, read)), Want: inactive},
			{Name: "never issued", Authorization: bearer(w.iss.BadOpaque(issuertest.Unknown, read)), Want: inactive},
			{Name: "tampered", Authorization: bearer("x" + w.iss.Opaque(read)), Want: inactive},
		}
	}
	opaque := invalidToken(validator.CheckShape, "The access token is not of a kind that this API accepts.")
	if w.name != "JWT" { // of which its issuer knows
		opaque = letIn("orders:read")
	}
	signature := invalidToken(validator.CheckSignature, "The signature of the access token is not valid.")
	return []Case{
		{Name: "tampered", Authorization: bearer(w.iss.Bad(issuertest.Tampered, read)), Want: signature},
		{Name: "other key", Authorization: bearer(w.iss.Bad(issuertest.OtherKey, read)), Want: signature},
		{Name: "unknown key", Authorization: bearer(w.iss.Bad(issuertest.UnknownKey, read)), Want: invalidToken(validator.CheckKey, "The access token is signed with a key that its issuer does not publish.")},
		{Name: "alg none", Authorization: bearer(w.iss.Bad(issuertest.AlgNone, read)), Want: invalidToken(validator.CheckAlgorithm, "The access token is signed with an algorithm that this API does not accept.")},
		{Name: "opaque", Authorization: bearer(w.iss.Opaque(read)), Want: opaque},
	}
}

// policies are tokens whose clients Decide judges.
func policies(w *world) []Case {
	decided := func(client string, verdict Want) Case {
		return Case{
			Name: client, Authorization: bearer(w.iss.Opaque(issuertest.Claims{ClientID: client, Scope: "orders:read"})),
			Want: letInAs(client, "orders:read"), At: map[Gate]Want{That: verdict, Deny: verdict},
		}
	}
	return []Case{
		decided(issuertest.ClientID, letIn("orders:read")),
		decided("denied", denied),
		decided("undecided", unavailable),
		decided("late", unavailable),
		decided("no scope", denied),
		{Name: "denied, and no scope", Authorization: bearer(w.iss.Opaque(issuertest.Claims{ClientID: "denied"})), Want: insufficientScope("orders:read"),
			At: map[Gate]Want{Report: letInAs("denied", "")}},
	}
}
