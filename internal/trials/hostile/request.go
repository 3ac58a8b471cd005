package hostile

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// requests are what surrounds a token. Every one of them carries a good token
// somewhere, unless it says otherwise.
func (b *builder) requests() []Request {
	b.config = Plain
	good := token(edHeader(), b.claims().with("jti", `"request"`))
	other := token(edHeader(), b.claims().with("jti", `"another request"`))
	var out []Request
	add := func(name, cite, want string, authorization ...string) {
		out = append(out, Request{Name: name, Cite: cite, Header: http.Header{"Authorization": authorization}, Want: want})
	}

	const missing = "RFC 6750 §3.1 (no error code)"
	out = append(out, Request{Name: "no Authorization", Cite: missing, Want: "missing"})
	for _, scheme := range []string{
		"Basic", "DPoP", "Digest", "Negotiate", "JWT", "Token", "MAC", "HOBA", "PoP", "GNAP",
		"Bearer-Token", "Bearers", "XBearer", "Веаrer", "Ｂearer", "Bear", "B",
	} {
		add("scheme "+scheme, missing+"; RFC 9110 §11.1", "missing", scheme+" "+good)
	}
	add("an empty Authorization", missing, "missing", "")
	add("the token alone", missing, "missing", good)
	for _, name := range []string{
		"Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization", "X-Access-Token",
		"Access-Token", "Authentication", "X-Original-Authorization", "Cookie", "Sec-WebSocket-Protocol",
	} {
		out = append(out, Request{Name: "in " + name, Cite: "RFC 6750 §2", Header: http.Header{name: {"Bearer " + good}}, Want: "missing"})
	}
	out = append(out,
		Request{Name: "in the query", Cite: "RFC 6750 §2.3, §5.3; RFC 9700 §4.3.2", Query: "access_token=" + good, Want: "missing"},
		Request{Name: "in a form", Cite: "RFC 6750 §2.2", Form: "access_token=" + good, Want: "missing"},
		Request{Name: "in the query as Authorization", Cite: "RFC 6750 §2", Query: "Authorization=Bearer%20" + good, Want: "missing"},
	)

	const one = "RFC 6750 §2, §3.1; RFC 9110 §5.3, §11.6.2"
	add("twice, the same", one, "request", "Bearer "+good, "Bearer "+good)
	add("twice, two tokens", one, "request", "Bearer "+good, "Bearer "+other)
	add("twice, Basic first", one, "request", "Basic bTJtOm0ybQ==", "Bearer "+good)
	add("twice, Basic last", one, "request", "Bearer "+good, "Basic bTJtOm0ybQ==")
	add("twice, one empty", one, "request", "", "Bearer "+good)
	add("twice, both empty", one, "request", "", "")
	add("twice, both of another scheme", one, "request", "Basic bTJtOm0ybQ==", "Digest x")
	add("a hundred times", one, "request", strings.Split(strings.Repeat("Bearer "+good+"\n", 100), "\n")...)
	for _, value := range []string{
		"Bearer " + good + ", Bearer " + other, "Bearer " + good + ",Bearer " + good, "Bearer " + good + "," + other,
		"Bearer " + good + ", Basic bTJtOm0ybQ==", "Bearer ," + good, "Bearer " + good + ",",
		"Bearer " + good + " " + other, "Bearer " + good + " ", "Bearer " + good + "\t", "Bearer\t" + good,
		"Bearer \t" + good, "Bearer\u00a0" + good, "Bearer\u3000" + good, "Bearer,Bearer " + good,
		"Bearer", "Bearer ", "Bearer    ", "Bearer:" + good, "Bearer: " + good, "Bearer=" + good,
		"Bearer \"" + good + "\"", "Bearer '" + good + "'", "Bearer <" + good + ">", "Bearer {" + good + "}",
		"Bearer token=" + good, `Bearer token="` + good + `"`, `Bearer realm="api"`,
		"Bearer " + good + ";", "Bearer " + good + ";q=1", "Bearer " + good + "=x", "Bearer =" + good, "Bearer ==",
		"Bearer " + good + "%", "Bearer " + good + "%20", "Bearer " + good + "?", "Bearer " + good + "#x",
		"Bearer " + good + "&x=1", "Bearer " + good + "!", "Bearer " + good + "*", "Bearer @" + good,
		`Bearer \` + good, "Bearer " + good + "|x", "Bearer ^" + good, "Bearer `" + good + "`",
		"Bearer $(" + good + ")", "Bearer [" + good + "]", `Bearer {"alg":"none"}`,
		"Bearer " + good + "é", "Bearer é", "Bearer " + good + "\u200b", "Bearer \ufeff" + good,
		"Bearer " + good + "\xff", "Bearer \xc0\xae", "Bearer ＡＢＣ", "Bearer 😀",
	} {
		name := strings.NewReplacer(good, "T", other, "U").Replace(value)
		add(fmt.Sprintf("%q", name), "RFC 6750 §2.1 (b64token)", "request", value)
	}
	for c := range 0x20 {
		add(fmt.Sprintf("control character %#02x in the token", c), "RFC 9110 §5.5; CWE-93", "request", "Bearer "+good[:20]+string(rune(c))+good[20:])
	}
	add("DEL in the token", "RFC 9110 §5.5", "request", "Bearer "+good[:20]+"\x7f"+good[20:])
	add("a header of its own after the token", "CWE-93, CWE-113", "request", "Bearer "+good+"\r\nX-Injected: 1")
	add("a whole response after the token", "CWE-113", "request", "Bearer x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	add("an attempt to break out of the challenge", "RFC 6750 §3; CWE-116", "request", `Bearer x", error="none", scope="admin`)

	const size = "CWE-770; validator.Config.MaxTokenBytes"
	add("a token that is too long", size, "size", "Bearer "+strings.Repeat("a", MaxTokenBytes+1))
	add("a token of a megabyte", size, "size", "Bearer "+strings.Repeat("a", 1<<20))
	add("a megabyte of spaces", size, "request", "Bearer "+strings.Repeat(" ", 1<<20))
	add("a megabyte of padding", size, "size", "Bearer "+strings.Repeat("=", 1<<20))
	add("a megabyte of another scheme", missing, "missing", "Basic "+strings.Repeat("a", 1<<20))
	add("padding after a good token", "RFC 6750 §2.1 allows it; RFC 7515 Appendix C does not", "encoding", "Bearer "+good+"==")
	add("a word", "RFC 7519 §7.2", "shape", "Bearer token")
	add("null", "RFC 7519 §7.2", "shape", "Bearer null")
	add("all that a b64token may hold", "RFC 6750 §2.1", "shape", "Bearer AZaz09-._~+/==")

	bearer := http.Header{"Authorization": {"Bearer " + good}}
	both := http.Header{"Authorization": {"Bearer " + good}, "Proxy-Authorization": {"Basic " + issuertest.ClientID}}
	const fine = "RFC 9110 §11.1 (case-insensitive), §11.4 (1*SP)"
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer  ", "Bearer     "} {
		add(fmt.Sprintf("%q and the token", scheme), fine, "", scheme+good)
	}
	out = append(out,
		Request{Name: "a token in the query as well", Cite: "RFC 9700 §4.3.2 (never read)", Header: bearer, Query: "access_token=x"},
		Request{Name: "a token in a form as well", Cite: "RFC 6750 §2.2 (never read)", Header: bearer, Form: "access_token=x"},
		Request{Name: "a proxy's credentials as well", Cite: "RFC 9110 §11.7.2", Header: both},
	)
	return out
}
