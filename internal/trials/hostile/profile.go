package hostile

import (
	"fmt"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// types are values of typ that no access token has, in either profile, and what
// the strict one refuses beyond that.
func (b *builder) types() {
	const cite = "RFC 8725 §3.11; RFC 9068 §4"
	for _, config := range []Config{Plain, Strict} {
		b.config = config
		for _, typ := range []string{
			"logout+jwt", "application/logout+jwt", "secevent+jwt", "dpop+jwt", "DPOP+JWT", "token-introspection+jwt",
			"oauth-authz-req+jwt", "client-authentication+jwt", "jwt-bearer+jwt", "entity-statement+jwt",
			"id_token+jwt", "rt+jwt", "kb+jwt", "vc+jwt", "dc+sd-jwt", "vc+sd-jwt", "statuslist+jwt", "passport",
			"JOSE", "JOSE+JSON", "JWS", "JWE", "Bearer", "access_token", "application/okta-internal-at+jwt",
			"", " ", "at", "at+", "+jwt", "jwt+at", "at jwt", "at-jwt", "at+jwt ", " at+jwt", "at+jwt\x00",
			"at+jwt;charset=utf-8", "at+jwt,JWT", "xat+jwt", "at+jwtx", "аt+jwt", "at+jw\u0442", "ａt+jwt", "at＋jwt",
			"at+ȷwt",
			"application/", "application/application/at+jwt", "application//at+jwt", "application/ at+jwt",
			"text/at+jwt", "/at+jwt", "aplication/at+jwt", "application/json", "*/*", "*",
		} {
			b.refuse(fmt.Sprintf("typ %q", typ), cite, b.headed("typ", quote(typ)), "typ")
		}
		for _, typ := range []string{`null`, `1`, `true`, `[]`, `["at+jwt"]`, `{"at+jwt":1}`} {
			b.refuse("typ is "+typ, "RFC 7515 §4.1.9 (a string)", b.headed("typ", typ), "json")
		}
	}
	for _, typ := range []string{"JWT", "jwt", "Jwt", "application/jwt", "application/JWT"} {
		b.refuse(fmt.Sprintf("typ %q", typ), cite, b.headed("typ", quote(typ)), "typ")
	}
	b.refuse("no typ", cite, token(edHeader().without("typ"), b.claims()), "typ")
}

// otherTokens are whole tokens of other kinds, rightly signed by the issuer and
// addressed to this API wherever their kind permits.
func (b *builder) otherTokens() {
	jwt := func(typ string, claims object) string { return token(edHeader().with("typ", quote(typ)), claims) }
	untyped := func(claims object) string { return token(edHeader().without("typ"), claims) }
	common := object{{"iss", quote(b.issuer)}, {"sub", `"user"`}, {"aud", quote(issuertest.Audience)}, {"iat", seconds(0)}, {"exp", seconds(time.Hour)}}
	toClient := common.with("aud", quote(issuertest.ClientID))
	idToken := append(common, object{
		{"nonce", `"n-0S6_WzA2Mj"`}, {"at_hash", `"77QmUPtjPfzWtF2AnpK9RQ"`}, {"auth_time", seconds(0)}, {"azp", quote(issuertest.ClientID)},
	}...)
	logout := common.and("jti", `"bWJq"`).and("sid", `"s"`).and("events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`)
	event := common.and("jti", `"bWJq"`).and("events", `{"https://schemas.openid.net/secevent/caep/event-type/session-revoked":{}}`)
	proof := object{{"jti", `"-BwC3ESc6acc2lTc"`}, {"htm", `"GET"`}, {"htu", quote(issuertest.Audience)}, {"iat", seconds(0)}}
	assertion := object{
		{"iss", quote(issuertest.ClientID)}, {"sub", quote(issuertest.ClientID)}, {"aud", quote(b.issuer)},
		{"jti", `"x"`}, {"exp", seconds(time.Minute)}, {"iat", seconds(0)},
	}
	const (
		id       = "OpenID Connect Core 1.0 §2; RFC 9068 §5; RFC 8725 §2.8"
		backLog  = "OpenID Connect Back-Channel Logout 1.0 §2.4"
		secEvent = "RFC 8417 §2.3"
		dpop     = "RFC 9449 §4.2"
		client   = "RFC 7523 §3; RFC 8725 §2.8"
	)
	for _, config := range []Config{Plain, Strict} {
		b.config = config
		forClient := "typ"
		if config == Plain {
			forClient = "aud"
		}
		b.refuse("ID token for the client", id, jwt("JWT", idToken.with("aud", quote(issuertest.ClientID))), forClient)
		b.refuse("logout token", backLog, jwt("logout+jwt", logout), "typ")
		b.refuse("logout token for the client", backLog, jwt("logout+jwt", logout.with("aud", quote(issuertest.ClientID))), "typ")
		b.refuse("security event token", secEvent, jwt("secevent+jwt", event), "typ")
		b.refuse("security event token without exp", secEvent, jwt("secevent+jwt", event.without("exp")), "typ")
		b.refuse("DPoP proof", dpop, token(edHeader().with("typ", `"dpop+jwt"`).with("jwk", published(edKey).String()), proof), "iss")
		b.refuse("DPoP proof with an iss", dpop, jwt("dpop+jwt", append(proof.without("iat"), common...)), "typ")
		b.refuse("client assertion", client, jwt("JWT", assertion), "iss")
		b.refuse("client assertion of a client that is called as the issuer is", client,
			jwt("client-authentication+jwt", assertion.with("iss", quote(b.issuer))), "typ")
		b.refuse("request object", "RFC 9101 §10.8", jwt("oauth-authz-req+jwt", common.and("response_type", `"code"`)), "typ")
		b.refuse("signed introspection answer", "RFC 9701 §8.1",
			jwt("token-introspection+jwt", common.and("token_introspection", `{"active":true}`)), "typ")
		b.refuse("user info answer for the client", "OpenID Connect Core 1.0 §5.3.2", untyped(toClient), forClient)
	}
	b.refuse("ID token for this API", id, jwt("JWT", idToken), "typ")
	b.refuse("ID token for this API, without typ", id, untyped(idToken), "typ")
	b.refuse("logout token with typ JWT", backLog, jwt("JWT", logout), "typ")
	b.refuse("security event token with typ JWT", secEvent, jwt("JWT", event), "typ")
	b.refuse("security event token without typ", secEvent, untyped(event), "typ")
	b.refuse("client assertion for this API by its issuer", client, jwt("JWT", common), "typ")
	b.refuse("ID token with typ at+jwt", id, jwt("at+jwt", idToken), "claims")
}

// requiredClaims are those of RFC 9068 §2.2, each missing once.
func (b *builder) requiredClaims() {
	const cite = "RFC 9068 §2.2"
	b.config = Strict
	b.refuse("without iss", cite, b.without("iss"), "iss")
	b.refuse("without exp", cite, b.without("exp"), "exp")
	b.refuse("without aud", cite, b.without("aud"), "aud")
	for _, claim := range []string{"sub", "client_id", "iat", "jti"} {
		b.refuse("without "+claim, cite, b.without(claim), "claims")
	}
	for _, name := range []string{"azp", "cid", "appid", "clientId", "Client_id", "client-id"} {
		b.refuse(name+" for client_id", cite, token(edHeader(), b.claims().without("client_id").and(name, `"x"`)), "claims")
	}
	b.refuse("uti for jti", cite, token(edHeader(), b.claims().without("jti").and("uti", `"x"`)), "claims")
	own := object{{"iss", quote(b.issuer)}, {"exp", seconds(time.Hour)}, {"aud", quote(issuertest.Audience)}}
	b.refuse("the required claims in the header", "RFC 7519 §5.3", token(append(edHeader(), b.claims()...), own), "claims")
	b.refuse("the required claims one level down", cite, token(edHeader(), own.and("claims", b.claims().String())), "claims")
	b.refuse("two claims missing", cite, token(edHeader(), b.claims().without("sub").without("jti")), "claims")
}
