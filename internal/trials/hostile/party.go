package hostile

import (
	"fmt"
	"strings"
)

// issuers are near-misses of the issuer identifier, which is compared byte for
// byte. The keys are the right ones: Spring Security once took the signature
// for proof of the issuer.
func (b *builder) issuers() {
	const cite = "RFC 8725 §3.8; RFC 8414 §3.3; CVE-2018-15801; CVE-2024-53861"
	host := strings.TrimPrefix(b.issuer, "http://")
	name, port, _ := strings.Cut(host, ":")
	b.refuse("no iss", cite, b.without("iss"), "iss")
	for _, iss := range []string{
		"", " ", "*", "null", "/", "http://", "https://", "http:",
		b.issuer + "/", b.issuer + "//", b.issuer + "/.", b.issuer + "/x/..", b.issuer + "/realms/other",
		b.issuer + "?", b.issuer + "#", b.issuer + "?x=1", b.issuer + "#x",
		b.issuer[:len(b.issuer)-1], b.issuer[1:], b.issuer + "0", b.issuer + ".evil.example",
		b.issuer + "@evil.example", b.issuer + "\x00", b.issuer + "\x00.evil.example",
		" " + b.issuer, b.issuer + " ", b.issuer + "\n", b.issuer + "\r\n", "\t" + b.issuer, b.issuer + "\u200b",
		"\ufeff" + b.issuer,
		"https://" + host, "HTTP://" + host, "Http://" + host, host, "//" + host, "http:/" + host, "http:///" + host,
		`http:\\` + host, "http://" + name,
		"http://localhost:" + port, "http://127.1:" + port, "http://2130706433:" + port, "http://0x7f000001:" + port,
		"http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port,
		"http://user@" + host, "http://user:pass@" + host, "http://evil.example/" + b.issuer,
		"http://evil.example?" + b.issuer, "http://evil.example#" + b.issuer,
		"http://" + name + ".:" + port, "http://" + name + ":0" + port, "http://" + name + "%3A" + port,
		strings.ReplaceAll(b.issuer, "1", "%31"), strings.ReplaceAll(b.issuer, "/", "%2F"),
		strings.ReplaceAll(b.issuer, "1", "１"), strings.ReplaceAll(b.issuer, ".", "。"),
		strings.ReplaceAll(b.issuer, "0", "O"), strings.ReplaceAll(b.issuer, "1", "l"),
		strings.ReplaceAll(b.issuer, "h", "һ"),
		b.issuer + "," + b.issuer, b.issuer + " " + b.issuer, "[" + b.issuer + "]", `"` + b.issuer + `"`,
		`["` + b.issuer + `"]`,
		b.canary, b.canary + "/", "https://accounts.google.com", "https://evil.example", "file:///etc/passwd",
		"urn:issuer", strings.Repeat("http://", 1000),
	} {
		b.refuse(fmt.Sprintf("iss %.60q", iss), cite, b.with("iss", quote(iss)), "iss")
	}
	b.refuse("iss of somebody else who signs with a key of his own under our kid", cite,
		sign(edHeader().String(), b.claims().with("iss", quote(b.canary)).String(), foreignEd, "EdDSA"), "iss")
}

// audiences are near-misses of the audience https://api.example.test.
func (b *builder) audiences() {
	const cite = "RFC 8725 §3.9; RFC 7519 §4.1.3; RFC 9068 §4; CVE-2020-26160"
	const ours = "https://api.example.test"
	b.refuse("no aud", cite, b.without("aud"), "aud")
	b.refuse("aud is an empty array", "RFC 7519 §4.1.3; CVE-2020-26160", b.with("aud", `[]`), "aud")
	b.refuse("aud is an array of an empty string", cite, b.with("aud", `[""]`), "aud")
	for _, aud := range []string{
		"", " ", "*", "https://*", "https://*.example.test", "any", "null", "api", "account", "m2m-client",
		ours + "/", ours + "//", ours + "/v1", ours + "?", ours + "#", ours + ":443", ours + ":80", ours + ".",
		ours + ".evil.example", ours + "@evil.example", ours + "x", ours + "\x00", ours + "\x00x",
		ours[:len(ours)-1], ours[1:], "api.example.test", "//api.example.test", "http://api.example.test",
		"https:/api.example.test", "https://example.test", "https://xapi.example.test", "https://api-example.test",
		"HTTPS://api.example.test", "https://API.example.test", "https://Api.Example.Test", strings.ToUpper(ours),
		" " + ours, ours + " ", ours + "\n", "\t" + ours, ours + "\u200b", "\ufeff" + ours,
		"https://аpi.example.test", "https://api.eхample.test", "https://api．example.test", "https://api。example.test",
		"https://ap\u0131.example.test", "ｈttps://api.example.test", "https://xn--pi-7kc.example.test",
		"https://api%2Eexample.test", "https%3A%2F%2Fapi.example.test", `https:\/\/api.example.test`,
		"https://api.example.test%00", "https://user@api.example.test", "https://evil.example/" + ours,
		"https://evil.example?" + ours,
		ours + " https://other.example.test", "https://other.example.test " + ours, ours + "," + ours,
		"[" + ours + "]", `["` + ours + `"]`, `{"aud":"` + ours + `"}`,
		"https://other.example.test", "urn:ietf:params:oauth:audience", "orders:read",
	} {
		b.refuse(fmt.Sprintf("aud %q", aud), cite, b.with("aud", quote(aud)), "aud")
	}
	b.refuse("aud is the issuer", cite, b.with("aud", quote(b.issuer)), "aud")
	b.refuse("aud is an array of near-misses", cite,
		b.with("aud", `["https://api.example.test/","http://api.example.test","https://API.example.test"]`), "aud")
	b.refuse("aud is an array of its letters", cite, b.with("aud", `["h","t","t","p","s",":","/","/","a","p","i"]`), "aud")
	b.refuse("azp and client_id name the API, aud another", cite,
		token(edHeader(), b.claims().with("aud", `"x"`).with("azp", quote(ours)).with("client_id", quote(ours))), "aud")
	b.refuse("resource names the API, aud another", "RFC 8707 §2",
		token(edHeader(), b.claims().with("aud", `"x"`).with("resource", quote(ours))), "aud")
}

// senderBound are tokens that only somebody who holds a key may use.
func (b *builder) senderBound() {
	const cite = "RFC 7800 §3; RFC 8705 §3.1; RFC 9449 §6.1"
	for _, cnf := range []string{
		`{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`, `{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`,
		`{"jwk":` + published(foreignEd).String() + `}`, `{"kid":"x"}`, `{"jku":` + quote(b.canary) + `}`, `{"x":1}`,
		`{}`, `null`, `[]`, `""`, `"none"`, `false`, `0`,
	} {
		b.refuse(fmt.Sprintf("cnf %.30s", cnf), cite, b.with("cnf", cnf), "cnf")
	}
}
