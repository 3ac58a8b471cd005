package hostile

import (
	"fmt"
	"time"
)

// notDates are JSON values that are no NumericDate, or none that can be held
// against a clock.
var notDates = []string{
	`true`, `false`, `""`, `"x"`, `[]`, `{}`, `[9999999999]`, `{"exp":9999999999}`,
	`"9999999999"`, `"9999999999.0"`, `"2036-01-01T00:00:00Z"`, `"1e10"`, `" 9999999999"`,
	`-1`, `-9999999999`, `-1e10`, `-0.5`,
	`253402300800`, `253402300800.0`, `999999999999999`, `1781524800000000`,
	`9223372036854775807`, `9223372036854775808`, `18446744073709551615`, `18446744073709551616`, `18446744075491076416`,
	`1e19`, `1e100`, `1e308`, `1e309`, `1E400`, `9e999999999`, `340282366920938463463374607431768211456`,
}

func (b *builder) notADate(claim string) {
	for _, value := range notDates {
		b.refuse(fmt.Sprintf("%s is %s", claim, value), "RFC 7519 §2 (NumericDate); CWE-190", b.with(claim, value), claim)
	}
	for _, value := range []string{
		`NaN`, `Infinity`, `-Infinity`, `0x75bcd15`, `09999999999`, `+9999999999`, `9999999999.`, `.5`, `1e`,
		`9_999_999_999`, `9,999,999`, `9999999999n`, ``,
	} {
		b.refuse(fmt.Sprintf("%s is %q, which is no JSON", claim, value), "RFC 8259 §6", b.with(claim, value), "json")
	}
}

func (b *builder) expiry() {
	const cite = "RFC 7519 §4.1.4"
	b.notADate("exp")
	b.refuse("exp is null", "RFC 7519 §4.1.4 (a NumericDate)", b.with("exp", "null"), "exp")
	b.refuse("no exp", cite+"; RFC 9068 §2.2; jwx v2 and golang-jwt take it", b.without("exp"), "exp")
	edge := func(d time.Duration, fraction string) string { return seconds(-ClockSkew+d) + fraction }
	for _, c := range []struct{ name, value string }{
		{"0", "0"}, {"0.0", "0.0"}, {"0e99", "0e99"}, {"1", "1"}, {"1e-400", "1e-400"}, {"an hour ago", seconds(-time.Hour)},
		{"one second past the skew", edge(-time.Second, "")},
		{"a tenth of a second past the skew", edge(-time.Second, ".9")},
		{"exactly at the end of the skew", edge(0, "")},
		{"exactly at the end of the skew, as a fraction", edge(0, ".000")},
		{"exactly at the end of the skew, with an exponent", "1781524770e0"},
		{"long ago, with an exponent", "1.5e9"},
	} {
		b.refuse("exp: "+c.name, cite, b.with("exp", c.value), "exp")
	}
}

func (b *builder) notBefore() {
	const cite = "RFC 7519 §4.1.5"
	b.notADate("nbf")
	for _, c := range []struct{ name, value string }{
		{"in an hour", seconds(time.Hour)},
		{"one second past the skew", seconds(ClockSkew + time.Second)},
		{"a tenth of a second past the skew", seconds(ClockSkew) + ".1"},
		{"in an hour, as a fraction", seconds(time.Hour) + ".5"},
		{"in 2286, with an exponent", "1e10"},
		{"the end of 9999", "253402300799"},
	} {
		b.refuse("nbf: "+c.name, cite, b.with("nbf", c.value), "nbf")
	}
	b.refuse("nbf after exp", cite, token(edHeader(), b.claims().with("exp", seconds(time.Minute)).with("nbf", seconds(time.Hour))), "nbf")
}

func (b *builder) issuedAt() { b.notADate("iat") }

// claimTypes are claims of the wrong JSON type.
func (b *builder) claimTypes() {
	notStrings := []string{`1`, `1e400`, `true`, `[]`, `["x"]`, `{}`}
	for _, claim := range []string{"sub", "jti", "client_id"} {
		for _, value := range notStrings {
			b.refuse(fmt.Sprintf("%s is %s", claim, value), "RFC 7519 §4.1.2, §4.1.7; RFC 8693 §4.3", b.with(claim, value), "claims")
		}
	}
	for _, value := range append(notStrings, `null`, `["x","y"]`) {
		b.refuse("iss is "+value, "RFC 7519 §4.1.1; CVE-2025-30144", b.with("iss", value), "iss")
	}
	for _, value := range []string{
		`null`, `1`, `true`, `{}`, `[1]`, `[null]`, `[[]]`, `[{}]`,
		`["https://api.example.test",1]`, `["https://api.example.test",null]`, `[["https://api.example.test"]]`,
		`{"https://api.example.test":true}`, `{"aud":"https://api.example.test"}`, `[{"aud":"https://api.example.test"}]`,
	} {
		b.refuse("aud is "+value, "RFC 7519 §4.1.3", b.with("aud", value), "aud")
	}
	for _, claim := range []string{"act", "authorization_details", "token_use"} {
		b.refuse(claim+" is null", "RFC 8693 §4.1; RFC 9396 §9.1; two readers may take it differently", b.with(claim, "null"), "claims")
	}
	for _, claim := range []string{"sub", "aud", "scope", "scp", "roles", "client_id", "azp"} {
		twice := b.claims().with(claim, "null")
		b.refuse(claim+" twice, once null", "RFC 7519 §4 (names are unique)", token(edHeader(), twice.and(claim, `"admin"`)), "json")
		b.refuse(claim+" twice, null at last", "RFC 7519 §4 (names are unique)",
			token(edHeader(), append(object{{claim, `"admin"`}}, twice...)), "json")
	}
}
