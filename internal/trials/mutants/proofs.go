package main

// ofProof are the tests of a line of the list in dpop/checks.go.
var (
	ofProofs  = []suite{{"dpop", "TestCatalogue"}}
	ofHTU     = []suite{{"dpop", "TestHTU"}, {"dpop", "TestCatalogue"}}
	ofReplays = []suite{{"dpop", "TestMemoryRemembers"}, {"dpop", "TestGreedyKeys"}, {"dpop", "TestMemoryBound"}}
	ofSealed  = []suite{{"dpop", "TestSealedNonces"}, {"dpop", "TestRotatingSecrets"}, {"dpop", "TestNewSealedRefuses"}}
	ofVerify  = []suite{{"dpop", "TestNothingIsSpentByABadProof"}, {"dpop", "TestProofsAreKept"}, {"dpop", "TestSeen"}, {"dpop", "TestNoSecretIsTold"}, {"dpop", "TestStoreDown"}, {"dpop", "TestEmptyIsNobodys"}, {"dpop", "TestRememberedHeaders"}}
)

// proofMutants concern proofs of possession. Their checks bear the names of the
// ordered list in dpop/checks.go.
var proofMutants = []mutant{
	{"DPoP, field", "exactly one field line", []edit{{"dpop/checks.go", "if len(lines) != 1 {", "if len(lines) == 0 {"}}, ofProofs},
	{"DPoP, field", "a comma is two proofs that were joined", []edit{never("dpop/checks.go", "strings.IndexByte(raw, ',') >= 0")}, ofProofs},
	{"DPoP, size", "the longest proof that is looked at", []edit{never("dpop/checks.go", "len(raw) > v.maxProof")}, ofProofs},
	{"DPoP, size", "a header is short", []edit{never("dpop/checks.go", "len(part) > maxHeaderChars")}, ofProofs},
	{"DPoP, size", "the claims are as long as the URL needs", []edit{never("dpop/checks.go", "len(parts.Payload) > most+2*len(r.URL)")}, ofProofs},
	{"DPoP, size", "both parts together are short", []edit{{"dpop/checks.go", "min(maxClaimsChars, maxBothChars-len(parts.Header))", "maxClaimsChars"}}, ofProofs},
	{"DPoP, size", "what is dear to read is refused", []edit{{"dpop/dear.go", "return n > maxDear", "return false"}}, ofProofs},
	{"DPoP, size", "the pieces of a proof are bounded", []edit{{"dpop/header.go", "strictjson.Limits{Members: 32, Values: 64}", "strictjson.Unlimited"}}, ofProofs},
	{"DPoP, parts", "three of them", []edit{{"dpop/checks.go", "	if !ok {\n		return jws.Compact{}, refuse(CheckParts", "	if !ok && false {\n		return jws.Compact{}, refuse(CheckParts"}}, ofProofs},
	{"DPoP, encoding", "a part is strict base64url", []edit{{"dpop/header.go", "	if err != nil {\n		return dst, refuse(CheckEncoding", "	if false {\n		return dst, refuse(CheckEncoding"}}, ofProofs},
	{"DPoP, json", "the header is strict JSON", []edit{ignoring("dpop/checks.go", "jose.read(decoded)")}, ofProofs},
	{"DPoP, json", "the claims are strict JSON", []edit{ignoring("dpop/checks.go", "c.read(decoded)")}, ofProofs},
	{"DPoP, typ", "it is dpop+jwt", []edit{never("dpop/checks.go", `jose.typ == nil || jose.typ[0] != '"' || !jose.typ.Is(proofType)`)}, ofProofs},
	{"DPoP, alg", "it is one that is accepted", []edit{{"dpop/config.go", "	if cfg.Algorithms == nil {\n", "	if true {\n"}}, ofProofs},
	{"DPoP, alg", "no HMAC can be configured", []edit{{"dpop/config.go", "if !jws.Supported(canonical) {", "if false && !jws.Supported(canonical) {"}}, []suite{{"dpop", "TestNewReportsAllFaults"}}},
	{"DPoP, crit", "extensions are refused", []edit{neverCase("dpop/checks.go", "jose.critical")}, ofProofs},
	{"DPoP, reference", "no other place for the key", []edit{neverCase("dpop/checks.go", "jose.foreign")}, ofProofs},
	{"DPoP, reference", "nor in the jwk", []edit{{"dpop/jwk.go", "if k.problem == nil && pointsElsewhere(name) {", "if false && pointsElsewhere(name) {"}}, ofProofs},
	{"DPoP, jwk", "a private key is refused", []edit{{"dpop/jwk.go", "			k.problem = errPrivate\n", ""}}, ofProofs},
	{"DPoP, jwk", "a coordinate has one length", []edit{never("dpop/jwk.go", "jws.DecodedLen(text) != size")}, ofProofs},
	{"DPoP, jwk", "a key of small order is none", []edit{never("dpop/jwk.go", "jws.SmallOrder(k.octets)")}, ofProofs},
	{"DPoP, jwk", "a modulus has one spelling and is odd", []edit{never("dpop/jwk.go", "err != nil || len(modulus) == 0 || modulus[0] == 0 || modulus[len(modulus)-1]&1 == 0")}, ofProofs},
	{"DPoP, jwk", "an exponent has one spelling", []edit{never("dpop/jwk.go", "err != nil || len(exponent) == 0 || exponent[0] == 0")}, ofProofs},
	{"DPoP, jwk", "an exponent is no 1", []edit{never("dpop/jwk.go", "e < 3 || e > 1<<31-1 || e&1 == 0")}, ofProofs},
	{"DPoP, jwk", "it fits alg", []edit{never("dpop/jwk.go", "!jws.Fits(alg, key)")}, ofProofs},
	{"DPoP, jwk", "it is for signatures", []edit{neverCase("dpop/jwk.go", `k.use != "" && k.use != "sig"`)}, ofProofs},
	{"DPoP, jwk", "it is for that alg", []edit{neverCase("dpop/jwk.go", `k.alg != "" && jws.Canonical(k.alg) != alg`)}, ofProofs},
	{"DPoP, jwk", "it is to verify", []edit{neverCase("dpop/jwk.go", "k.keyOps != nil")}, ofProofs},
	{"DPoP, claims", "they are of their types", []edit{neverCase("dpop/claims.go", `c.wrong != ""`)}, ofProofs},
	{"DPoP, claims", "jti is there and bounded", []edit{neverCase("dpop/claims.go", `c.jti == "" || len(c.jti) > maxJTI`)}, ofProofs},
	{"DPoP, claims", "iat is there", []edit{neverCase("dpop/claims.go", "!c.hasIAT")}, ofProofs},
	{"DPoP, htm", "the method is the request's", []edit{never("dpop/checks.go", "c.htm != r.Method")}, ofProofs},
	{"DPoP, htu", "the URL is the request's", []edit{neverCase("dpop/checks.go", "!same")}, ofProofs},
	{"DPoP, htu", "scheme and port count", []edit{{"dpop/htu.go", " || claimed.secure != ours.secure || claimed.port != ours.port {", " {"}}, ofHTU},
	{"DPoP, htu", "a user is refused", []edit{never("dpop/htu.go", "strings.IndexByte(authority, '@') >= 0")}, ofHTU},
	{"DPoP, htu", "it is http or https", []edit{never("dpop/htu.go", `!found || !a.secure && !equalFold(scheme, "http")`)}, ofHTU},
	{"DPoP, htu", "what is no URI is refused", []edit{never("dpop/htu.go", "!isURI(htu)")}, ofHTU},
	{"DPoP, htu", "an escape of what is reserved stays one", []edit{never("dpop/htu.go", "isUnreserved(c)"), {"dpop/htu.go", "out = append(out, '%', upper[c>>4], upper[c&15])", "out = append(out, c)"}}, ofHTU},
	{"DPoP, htu", "dot segments are taken out", []edit{{"dpop/htu.go", `if !strings.Contains(path, "/.") {`, "if true {"}}, ofHTU},
	{"DPoP, iat", "a proof ages", []edit{neverCase("dpop/checks.go", "c.iat.Before(now.Add(-v.maxAge))")}, ofProofs},
	{"DPoP, iat", "a proof is not made ahead", []edit{neverCase("dpop/checks.go", "c.iat.After(now.Add(v.maxAhead))")}, ofProofs},
	{"DPoP, ath", "a proof is for a token", []edit{neverCase("dpop/checks.go", "!c.hasATH"), neverCase("dpop/checks.go", `c.ath == "" || c.ath != r.TokenHash`)}, ofProofs},
	{"DPoP, ath", "an empty one is nobody's", []edit{{"dpop/checks.go", `case c.ath == "" || c.ath != r.TokenHash:`, "case c.ath != r.TokenHash:"}}, ofVerify},
	{"DPoP, jkt", "the key is the token's", []edit{never("dpop/checks.go", "subtle.ConstantTimeCompare(h.thumbprint[:], []byte(r.Thumbprint)) != 1")}, ofProofs},
	{"DPoP, nonce", "a wrong one is refused", []edit{{"dpop/checks.go", "if judgement == NonceGood {", "if true {"}}, ofProofs},
	{"DPoP, nonce", "the next one is handed out when a later check fails", []edit{{"dpop/checks.go", "h, parts.SigningInput, signature, r.Source); failed != nil {\n		return nonce, failed", "h, parts.SigningInput, signature, r.Source); failed != nil {\n		return \"\", failed"}}, ofProofs},
	{"DPoP, nonce", "it ends", []edit{neverCase("dpop/sealed.go", "age < -ahead || age >= s.lifetime")}, ofSealed},
	{"DPoP, nonce", "the next one is handed out in time", []edit{neverCase("dpop/sealed.go", "n > 0 || age >= s.lifetime/3*2")}, ofSealed},
	{"DPoP, nonce", "a flood has us seal once a second", []edit{{"dpop/sealed.go", "h.keys == keys && h.at == now {", "h.keys == keys && false {"}}, ofSealed},
	{"DPoP, nonce", "a secret is long", []edit{never("dpop/sealed.go", "len(secret) < minSecret")}, ofSealed},
	{"DPoP, signature", "it is verified", []edit{ignoring("dpop/checks.go", "jws.Verify(h.alg, h.key, input, signature)")}, ofProofs},
	{"DPoP, signature", "one length for each curve", []edit{never("internal/jws/signature.go", "len(signature) != 2*size")}, ofJWS},
	{"DPoP, signature", "turns are fair by source", []edit{{"dpop/checks.go", "pool.Acquire(ctx, source)", "pool.Acquire(ctx, \"\")"}}, []suite{{"dpop", "TestTurnsAreFairBySource"}}},
	{"DPoP, replay", "a proof is good once", []edit{neverCase("dpop/checks.go", "!first")}, ofProofs},
	{"DPoP, replay", "a jti is its key's alone", []edit{{"dpop/replays.go", "	text := append(room[:0], seenLabel...)\n	text = append(text, thumbprint[:]...)\n", "	text := append(room[:0], seenLabel...)\n"}}, ofVerify},
	{"DPoP, replay", "a proof is kept until its iat is too old", []edit{{"dpop/checks.go", "c.iat.Add(v.maxAge+v.maxAhead)", "c.iat.Add(v.maxAhead)"}}, ofVerify},
	{"DPoP, replay", "a store that fails is no verdict", []edit{{"dpop/checks.go", "	case err != nil:\n		v.counters.undecided.Add(1)\n		return unavailable(\"the store of seen proofs\"", "	case err != nil && false:\n		v.counters.undecided.Add(1)\n		return unavailable(\"the store of seen proofs\""}}, ofVerify},
	{"DPoP, replay", "a slice is dropped after its end", []edit{{"dpop/memory.go", "time.Duration(old.number+1)*sliceTime", "time.Duration(old.number)*sliceTime"}}, ofReplays},
	{"DPoP, replay", "the keys that have most are refused", []edit{{"dpop/memory.go", "m.counts.of(h) > 4*left {", "left < 0 {"}}, ofReplays},
	{"DPoP, replay", "the memory is bounded", []edit{never("dpop/memory.go", "m.counts.of(h) > 4*left")}, []suite{{"dpop", "TestManyMadeUpKeys"}}},
	{"DPoP, replay", "who is refused, is refused for what is live", []edit{{"dpop/memory.go", "if err != nil && m.swept.Swap", "if false && m.swept.Swap"}, {"dpop/memory.go", "	m.sweepAnother(now)\n", ""}}, ofReplays},
	{"DPoP, headers", "only proven ones are remembered", []edit{{"dpop/checks.go", "	if failed := v.verify(ctx,", "	v.headers.Put(parts.Header, h)\n	if failed := v.verify(ctx,"}}, ofVerify},
	{"DPoP, errors", "no query is told", []edit{{"dpop/checks.go", "got: []string{strings.Clone(withoutQuery(c.htu))}", "got: []string{strings.Clone(c.htu)}"}}, ofVerify},
	{"DPoP, errors", "a request prints without its proofs", []edit{{"dpop/request.go", "func (r Request) Format(", "func (r Request) format("}, {"dpop/request.go", "	_ fmt.Formatter  = Request{}\n", ""}}, ofVerify},
}
