package hostile

import (
	"fmt"
	"strings"
)

// scopesOfAnotherForm are scope claims that are neither a list of scope names
// nor an array of them, and those in which a name can be no scope: such a name
// grants nothing, nor do its pieces.
func (b *builder) scopesOfAnotherForm() {
	const cite = "RFC 6749 §3.3; RFC 8693 §4.2; RFC 9068 §2.2.3"
	for _, claim := range []string{"scope", "scp"} {
		for _, value := range []string{
			`1`, `true`, `{}`, `{"orders:read":true}`, `[1]`, `[null]`, `[["orders:read"]]`,
			`[{"name":"orders:read"}]`, `["orders:read",1]`,
		} {
			b.refuse(fmt.Sprintf("%s is %s", claim, value), cite, b.with(claim, value), "claims")
		}
		for _, c := range []struct{ value, grants string }{
			{`null`, ""}, {`[""]`, ""}, {`["orders:read orders:write"]`, ""}, {`[" orders:read"]`, ""},
			{`["orders:read\u0000"]`, ""}, {`"orders:read\u0000"`, ""}, {`"orders:read\t"`, ""},
			{`"orders:read\n"`, ""}, {`"orders:read\r\nX: 1"`, "1"}, {`"\u0001orders:read"`, ""},
			{`"orders:read\u007f"`, ""}, {`"orders:read\tadmin"`, ""}, {`"\"orders:read\" admin"`, "admin"},
			{`"orders:read\\"`, ""}, {`"оrders:read"`, ""}, {`"orders:reаd"`, ""}, {`"orders:read\u00a0admin"`, ""},
			{`"orders:read\u200b"`, ""}, {`"orders：read"`, ""}, {`"ｏrders:read"`, ""}, {`"orders:read\u3000"`, ""},
			{`["Data Steward","orders:write"]`, "orders:write"},
		} {
			b.refuseRoute(fmt.Sprintf("%s is %s", claim, c.value), cite, token(edHeader(), b.claims().without("scope").with(claim, c.value)), c.grants)
		}
		for _, value := range []string{`["orders:read",""]`, `"orders:read \"admin\""`, `["orders:read","Größe lesen"]`, `"orders:read Größe\u00a0lesen"`} {
			b.accept(fmt.Sprintf("%s is %s", claim, value), cite+"; Keycloak's roles may hold a space", token(edHeader(), b.claims().without("scope").with(claim, value)))
		}
	}
}

// scopeNearMisses are good tokens that grant something else than Scope.
func (b *builder) scopeNearMisses() {
	const cite = "RFC 6749 §3.3 (case-sensitive, whole names); RFC 6750 §3.1"
	add := func(name, token, grants string) { b.refuseRoute(name, cite, token, grants) }
	for _, scope := range []string{
		"orders", "read", "orders:", ":read", "orders:rea", "rders:read", "orders:readonly", "xorders:read",
		"orders:read:all", "orders:reads", "orders:read/", "/orders:read",
		"orders:READ", "Orders:read", "ORDERS:READ", "orders:*", "*", "*:*", "**", ".*", "orders:.*", "orders?read",
		"orders_read", "orders-read", "orders.read", "orders/read", "orders:write", "admin", "all",
		"orders:read,orders:write", "orders:write,orders:read", "orders:read;", "orders:read+orders:write",
		"orders%3Aread", "orders:read%20", "orders:read%00", "[orders:read]", "{orders:read}", "'orders:read'",
		"<orders:read>", "!orders:read", "-orders:read", "+orders:read", "~orders:read", "scope=orders:read",
		"https://api.example.test/orders:read", "api://orders/orders:read", "orders:read@example.test",
	} {
		add("scope "+scope, b.with("scope", quote(scope)), scope)
		add("scp ["+scope+"]", token(edHeader(), b.claims().without("scope").with("scp", "["+quote(scope)+"]")), scope)
	}
	add("scope orders: read", b.with("scope", `"orders: read"`), "orders: read")
	add("scope orders :read", b.with("scope", `"orders :read"`), ":read orders")
	add("scope letter by letter", b.with("scope", `"o r d e r s : r e a d"`), ": a d e o r s")
	add("scope in many parts", b.with("scope", quote(strings.Repeat("orders: ", 500)+"read")), "orders: read")
	add("no scope", b.without("scope"), "")
	for _, m := range []member{
		{"roles", `["orders:read"]`}, {"permissions", `["orders:read"]`}, {"groups", `["orders:read"]`},
		{"authorities", `["orders:read"]`},
		{"realm_access", `{"roles":["orders:read"]}`}, {"scope ", quote(Scope)},
		{"authorization", `{"permissions":[{"scopes":["orders:read"]}]}`}, {"act", `{"scope":"orders:read"}`},
		{"https://example.test/scope", quote(Scope)}, {"aud_scope", quote(Scope)}, {"x", `{"scope":"orders:read"}`},
	} {
		add("scope in "+m.name, token(edHeader(), b.claims().without("scope").and(m.name, m.value)), "")
	}
	add("scope in the header", token(edHeader().with("scope", quote(Scope)), b.claims().without("scope")), "")
}
