package hostile

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// goodAlgorithms are tokens under every algorithm, with and without a kid, and
// odd signatures that are good ones.
func (b *builder) goodAlgorithms() {
	const alone = "RFC 7515 §4.1.4 (kid is optional)"
	for _, config := range []Config{Plain, Every} {
		b.config = config
		for _, a := range algorithms {
			short := strings.HasSuffix(a.name, "384") || strings.HasSuffix(a.name, "512")
			if config == Plain && short {
				continue
			}
			b.accept(a.name, "RFC 7518 §3.1; RFC 8037 §3.1; RFC 9864 §2.2",
				sign(header(a.name, a.key).String(), b.claims().String(), a.key, a.name))
			b.accept(a.name+" without kid", alone, sign(header(a.name, a.key).without("kid").String(), b.claims().String(), a.key, a.name))
		}
	}
	b.config = Plain
	for _, m := range []member{{"x", "0"}, {"kid", "null"}, {"\u212aid", quote(rsaKey)}, {"x5t", `"AAAAAAAAAAAAAAAAAAAAAAAAAAA"`}, {"x5t", "[]"}, {"x5t#S256", `"AAAA"`}} {
		b.accept(fmt.Sprintf("RS256 by the second key that serves it, without kid and with %s %.20s", m.name, m.value), alone,
			sign(object{{"alg", `"RS256"`}, {m.name, m.value}}.String(), b.claims().String(), "rsa-2048-c", "RS256"))
	}
	b.accept("RS256 by a key that has an alg", "RFC 7517 §4.4", sign(header("RS256", "twins").String(), b.claims().String(), "rsa-2048-c", "RS256"))

	key := private(p256Key).(*ecdsa.PrivateKey)
	n := key.Params().N
	input := segment(header("ES256", p256Key).String()) + "." + segment(b.claims().String())
	r, s := signECDSA(key, crypto.SHA256, input)
	low, high := s, new(big.Int).Sub(n, s)
	if low.Cmp(high) > 0 {
		low, high = high, low
	}
	const twin = "RFC 7518 §3.4; FIPS 186-5 §6.4.2 (both verify)"
	b.accept("ES256 signature with the low s", twin, input+"."+segment(fixed(key, r, low)))
	b.accept("ES256 signature with the high s, its twin", twin, input+"."+segment(fixed(key, r, high)))
	for r.BitLen() > 248 {
		r, s = signECDSA(key, crypto.SHA256, input)
	}
	b.accept("ES256 signature with a zero octet in front of r", "RFC 7518 §3.4 (leading zeros stay)", input+"."+segment(fixed(key, r, s)))
}

// goodHeaders are headers with odd but permitted members.
func (b *builder) goodHeaders() {
	const unknown = "RFC 7515 §4 (what is not understood is ignored); RFC 8725 §3.10"
	for _, m := range []member{
		{"jku", quote(b.canary + "/jwks.json")}, {"jku", quote(b.issuer + "/jwks")},
		{"x5u", quote(b.canary + "/cert.pem")}, {"jwk", published(foreignEd).String()},
		{"jwk", published(edKey).String()},
		{"x5c", `["AAAA"]`}, {"x5t", `"AAAA"`}, {"x5t#S256", `"AAAA"`}, {"cty", `"json"`}, {"nonce", `"x"`},
		{"x", "null"}, {"x", `{"alg":"none"}`}, {"x", "1e400"}, {"", `""`},
		{"ALG", `"none"`}, {"Alg", `"HS256"`}, {"KID", `"x"`}, {"Kid", `"x"`}, {"CRIT", `["exp"]`}, {"B64", "false"},
		{"Typ", `"logout+jwt"`}, {"ver", `"1.0"`},
	} {
		b.accept(fmt.Sprintf("header with %s %.40s", m.name, m.value), unknown, token(edHeader().and(m.name, m.value), b.claims()))
	}
	const typ = "RFC 7515 §4.1.9; RFC 7519 §5.1; RFC 9068 §2.1"
	b.accept("kid is null", "RFC 7515 §4.1.4 (optional); Confluent writes it so", b.headed("kid", "null"))
	b.accept("no typ", typ, token(edHeader().without("typ"), b.claims()))
	for _, value := range []string{"JWT", "jwt", "Jwt", "application/jwt", "application/JWT", "APPLICATION/JWT"} {
		b.accept("typ "+value, typ, b.headed("typ", quote(value)))
	}
	for _, config := range []Config{Plain, Strict} {
		b.config = config
		for _, value := range []string{
			"at+jwt", "at+JWT", "AT+JWT", "At+Jwt",
			"application/at+jwt", "application/AT+JWT", "Application/At+Jwt", "APPLICATION/AT+JWT",
		} {
			b.accept("typ "+value, typ, token(edHeader().with("typ", quote(value)).and("case", quote(value)), b.claims()))
		}
	}
}

// absentAsNull is why null is taken for a claim that is not there.
const absentAsNull = "serialisers write absent members so (Jans, Gluu, Confluent)"

// goodTimes are NumericDates in every form, up to the very edges.
func (b *builder) goodTimes() {
	const date = "RFC 7519 §2 (NumericDate: a JSON number)"
	const edge = "RFC 7519 §4.1.4, §4.1.5 (some leeway)"
	for _, m := range []struct{ claim, name, value, cite string }{
		{"exp", "a fraction", seconds(time.Hour) + ".25", date},
		{"exp", "a fraction of zeros", seconds(time.Hour) + ".000000", date},
		{"exp", "an exponent", "1.7815284e9", date},
		{"exp", "an exponent with a plus", "17815284e+2", date},
		{"exp", "a negative exponent", "17815284000000E-4", date}, {"exp", "the year 2286", "1e10", date},
		{"exp", "the end of 9999", "253402300799", date},
		{"exp", "a long fraction", seconds(time.Hour) + "." + strings.Repeat("1", 300), date},
		{"exp", "now", seconds(0), edge}, {"exp", "a second ago", seconds(-time.Second), edge},
		{"exp", "the last second of the skew", seconds(-ClockSkew + time.Second), edge},
		{"exp", "the last half second of the skew", seconds(-ClockSkew) + ".5", edge},
		{"nbf", "now", seconds(0), edge}, {"nbf", "the first second of the skew", seconds(ClockSkew), edge},
		{"nbf", "just after the first second of the skew", seconds(ClockSkew-time.Second) + ".9", edge},
		{"nbf", "zero", "0", date}, {"nbf", "a fraction", seconds(-time.Hour) + ".5", date},
		{"nbf", "an exponent", "1.5e9", date},
		{"iat", "a fraction", seconds(0) + ".75", date}, {"iat", "an exponent", "1.5E9", date},
		{"iat", "zero", "0", date},
		{"iat", "to come", seconds(time.Hour), "RFC 7519 §4.1.6 (refuses nothing)"},
		{"iat", "after exp", seconds(48 * time.Hour), "RFC 7519 §4.1.6 (refuses nothing)"},
	} {
		b.accept(m.claim+": "+m.name, m.cite, b.with(m.claim, m.value))
	}
	b.accept("no iat", "RFC 7519 §4.1.6 (optional)", b.without("iat"))
	for _, claim := range []string{"nbf", "iat"} {
		b.accept(claim+" is null", absentAsNull, b.with(claim, "null"))
	}
}

// goodClaims are claims in forms that real servers use.
func (b *builder) goodClaims() {
	const aud = "RFC 7519 §4.1.3"
	ours := quote(issuertest.Audience)
	many := strings.Repeat(`"https://other.example.test",`, 200)
	for _, c := range []struct{ name, value string }{
		{"an array of one", "[" + ours + "]"},
		{"an array, ours first", "[" + ours + `,"x"]`},
		{"an array, ours last", `["x",` + ours + "]"},
		{"an array, ours twice", "[" + ours + "," + ours + "]"},
		{"an array, ours after 200", "[" + many + ours + "]"},
		{"an array with an empty string", `["",` + ours + "]"},
		{"a string with escapes", `"https:\/\/api.ex\u0061mple.test"`},
	} {
		b.accept("aud is "+c.name, aud, b.with("aud", c.value))
	}
	const client = "RFC 8693 §4.3; Keycloak, Entra ID and Okta have names of their own"
	b.accept("no sub, client_id or jti", "RFC 7519 §4.1.2, §4.1.7 (optional)",
		token(edHeader(), b.claims().without("sub").without("client_id").without("jti")))
	for _, name := range []string{"azp", "appid", "cid"} {
		b.accept(name+" for client_id", client, token(edHeader(), b.claims().without("client_id").and(name, `"x"`)))
	}
	for _, name := range []string{"sub", "jti", "client_id", "azp", "appid", "cid", "roles"} {
		b.accept(name+" is null", absentAsNull, b.with(name, "null"))
	}
	b.accept("client_id is null, and azp is not", absentAsNull, token(edHeader(), b.claims().with("client_id", "null").and("azp", `"x"`)))
	const unknown = "RFC 7519 §4.3, §5.2 (unknown claims are ignored)"
	for _, m := range []member{
		{"x", "null"}, {"x", "1e400"}, {"x", strings.Repeat("1", 3000)}, {"x", "-0"},
		{"x", `[{},[],"",0,-1.5e-9,null,true]`}, {"", `""`}, {"exp ", "0"}, {"EXP", "1"}, {"eXp", `"never"`},
		{"ISS", `"https://evil.example"`}, {"AUD", "[]"},
		{"ſub", `"admin"`}, {"iſs", `"https://evil.example"`}, {"ſcope", `"admin"`}, {"SCOPE", `"admin"`},
		{"Scp", `"admin"`}, {"CNF", "{}"}, {"Nbf", "9999999999"}, {"active", "false"},
		{"x", `{"exp":0,"nbf":9999999999,"cnf":{}}`},
		{"realm_access", `{"roles":["admin"]}`}, {"roles", `["admin"]`}, {"events", "{}"}, {"act", `{"sub":"x"}`},
		{"may_act", `{"sub":"x"}`}, {"authorization_details", `[{"type":"x"}]`}, {"entitlements", `["x"]`},
	} {
		b.accept(fmt.Sprintf("claim %s %.40s", m.name, m.value), unknown, token(edHeader(), b.claims().and(m.name, m.value)))
	}
}

// goodScopes are the forms of the scope claim.
func (b *builder) goodScopes() {
	const cite = "RFC 6749 §3.3; RFC 8693 §4.2; Okta and Ory Hydra send scp"
	const odd = "!#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~"
	for _, c := range []struct {
		name   string
		claims object
		grants string
	}{
		{"a string of several", object{{"scope", `"orders:write orders:read"`}}, "orders:read orders:write"},
		{"a string with one twice", object{{"scope", `"orders:read orders:read"`}}, "orders:read"},
		{"a string with many spaces", object{{"scope", `"  orders:read   orders:write "`}}, "orders:read orders:write"},
		{"a string with escapes", object{{"scope", `"orders\u003aread\u0020x"`}}, "orders:read x"},
		{"an array", object{{"scope", `["orders:read","orders:write"]`}}, "orders:read orders:write"},
		{"an empty string", object{{"scope", `""`}}, ""},
		{"spaces alone", object{{"scope", `"   "`}}, ""},
		{"an empty array", object{{"scope", `[]`}}, ""},
		{"missing", object{{"x", "0"}}, ""},
		{"scp, a string", object{{"scp", `"orders:read orders:write"`}}, "orders:read orders:write"},
		{"scp, an array", object{{"scp", `["orders:write","orders:read"]`}}, "orders:read orders:write"},
		{"scp, an empty array", object{{"scp", `[]`}}, ""},
		{"scope and scp", object{{"scope", `"orders:read"`}, {"scp", `["orders:write"]`}}, "orders:read orders:write"},
		{"scope and scp, the same", object{{"scope", `"orders:read"`}, {"scp", `["orders:read"]`}}, "orders:read"},
		{"an empty scope and scp", object{{"scope", `""`}, {"scp", `["orders:read"]`}}, "orders:read"},
		{"every character that a name may have", object{{"scope", quote(odd + " orders:read")}}, odd + " orders:read"},
		{"500 names", object{{"scope", quote(strings.Repeat("x ", 500) + "orders:read")}}, "orders:read x"},
	} {
		b.acceptFor("scope: "+c.name, cite, token(edHeader(), append(b.claims().without("scope"), c.claims...)), c.grants)
	}
}
