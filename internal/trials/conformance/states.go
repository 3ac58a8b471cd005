package conformance

import (
	"strings"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// needless are requests that are answered as ever, whatever cannot be had.
func needless() []Case {
	return []Case{
		{Name: "no header", Want: unauthorized},
		{Name: "malformed", Authorization: []string{"Bearer a b"}, Want: badRequest},
		{Name: "too large", Authorization: bearer(strings.Repeat("a", validator.DefaultMaxTokenBytes+1)), Want: tooLarge},
	}
}

func whileDown(w *world) []Case {
	return append(needless(), Case{Name: "good", Authorization: bearer(w.token(w.iss, read)), Want: unavailable})
}

// whileThrottled are about a caller of whose tokens one is asked about and one waits.
func whileThrottled(w *world) []Case {
	token := func() []string { return bearer(w.iss.Opaque(read)) }
	return append(append([]Case{
		{Name: "one more", Before: w.busy, Authorization: token(), Want: tooMany},
		{Name: "a JWT, which nobody is asked about", Authorization: bearer(w.iss.Token(read)), Want: letIn("orders:read"), At: map[Gate]Want{Fresh: tooMany}},
	}, needless()...), Case{Name: "afterwards", Before: w.release, Authorization: token(), Want: letIn("orders:read")})
}

func whileUnfilled(w *world) []Case {
	return append(needless(),
		Case{Name: "a JWT", Authorization: bearer(w.iss.Token(read)), Want: unavailable},
		Case{Name: "an opaque token", Authorization: bearer(w.iss.Opaque(read)), Want: unavailable})
}

// revocations are about a client that is revoked between the second and the third one.
func revocations(w *world) []Case {
	const scope = "orders:read orders:write"
	bad := issuertest.Claims{ClientID: "compromised", Scope: scope}
	seen, fresh := bearer(w.token(w.iss, bad)), bearer(w.token(w.iss, bad))
	good := bearer(w.token(w.iss, read))
	return []Case{
		{Name: "before", Authorization: seen, Want: letInAs("compromised", scope)},
		{Name: "before, group and route", Route: "group/write", Authorization: seen, Want: letInAs("compromised", scope)},
		{Name: "after", Before: w.block("compromised"), Authorization: seen, Want: revoked},
		{Name: "after, seen for the first time", Authorization: fresh, Want: revoked},
		{Name: "after, group and route", Route: "group/write", Authorization: seen, Want: revoked},
		{Name: "after, on a route for nobody", Route: "nobody", Authorization: seen, Want: revoked},
		{Name: "another client", Authorization: good, Want: letIn("orders:read")},
	}
}
