package main

// otherMutants concern the header, the answer to a client, and the end.
var otherMutants = []mutant{
	{"header", "a repeated Authorization is refused", []edit{never("adapters/httpauth/header.go", "len(values) > 1")}, ofAdapters},
	{"header", "the scheme is Bearer", []edit{{"adapters/httpauth/header.go", "if value[i]|0x20 != scheme[i] {", "if value[i]|0x20 == 0 {"}}, ofAdapters},
	{"header", "the scheme is compared to its end", []edit{{"adapters/httpauth/header.go", "for i := range len(scheme) {", "for i := range len(scheme) - 1 {"}}, ofAdapters},
	{"header", "the scheme is Bearer alone, and no longer word", []edit{{"adapters/httpauth/header.go", "return rest, rest == \"\" || !isTokenChar[rest[0]]", "return rest, true"}}, ofAdapters},
	{"header", "a space stands before the token", []edit{{"adapters/httpauth/header.go", "if len(token) == len(rest) || token == \"\" {", "if token == \"\" {"}}, []suite{{"internal/siege", "TestHeadersAsWeapons"}}},
	{"answers", "an outage is no 401", []edit{{"adapters/httpauth/failure.go", "	default:\n		a.status, a.body.Error = http.StatusServiceUnavailable, \"temporarily_unavailable\"\n", "	default:\n		a.status = http.StatusUnauthorized\n"}}, ofAdapters},
	{"answers", "a realm that could break out of the challenge panics", []edit{never("adapters/httpauth/httpauth.go", "!quotable(m.realm)")}, ofAdapters},
	{"answers", "the handler does not run after a refusal", []edit{{"adapters/httpauth/httpauth.go", "			rt.Fail(w, r, failure)\n			return\n", "			rt.Fail(w, r, failure)\n"}}, ofAdapters},
	{"answers", "values from a token are quoted and cut", []edit{{"internal/quote/quote.go", "	if quotedLen(v) <= longest {\n", "	if true {\n"}}, []suite{{folder: "internal/quote"}, {folder: "validator"}}},
	{"answers", "what is absent or malformed is called that", []edit{{"validator/flaw.go", "finer[flawOf{e.check, e.flaw}]; ok {", "finer[flawOf{e.check, e.flaw}]; false && ok {"}}, ofValidator},
	{"answers", "an error prints as its text, by any verb", []edit{{"validator/errors.go", "func (e *Error) Format(", "func (e *Error) format("}}, []suite{{"validator", "TestPrintingAnErrorIsItsText"}}},
	{"answers", "a request prints without its token", []edit{{"validator/print.go", "func (r Request) Format(", "func (r Request) format("}, {"validator/print.go", "	_ fmt.Formatter  = Request{}\n", ""}}, []suite{{"validator", "TestPrintingARequestShowsNoToken"}}},
	{"answers", "kids are quoted and cut in logs", []edit{{"validator/observer.go", "quote.Plain(e.Keys.KeyID)", "e.Keys.KeyID"}}, []suite{{"validator", "TestHostileKeySetsInLogs"}}},
	{"answers", "skipped keys are reported one by one up to a number", []edit{{"jwks/refresh.go", "*n > mostSkipped {", "*n < 0 {"}}, []suite{{"validator", "TestHostileKeySetsInLogs"}}},
	{"configuration", "HMAC cannot be configured", []edit{{"validator/settle.go", "if !jws.Supported(canonical) {", "if false && !jws.Supported(canonical) {"}}, ofValidator},
	{"configuration", "a Resolver is no nil pointer", []edit{never("validator/config.go", "isNil(c.Resolver)")}, []suite{{"validator", "TestNilWithAType"}}},
	{"configuration", "an audience must be configured", []edit{never("validator/settle.go", "len(c.Audience) == 0 && !c.DangerouslyAcceptMissingAudience && !c.Profile.NoAudience")}, ofValidator},
	{"configuration", "a private key signs in the FIPS 140 mode that there is", []edit{{"validator/assertion.go", "here && fips140.Enforced()", "here && fips140.Enforced() && false"}}, ofValidator},
	{"configuration", "one opaque token is shown to one issuer", []edit{never("validator/validator.go", "len(asked) > 1")}, ofValidator},
	{"end", "nothing is let in after Close", []edit{never("validator/verify.go", "v.closed.Load()"), {"jwks/keyset.go", "		s.serving.Store(nil)\n		s.stop(&s.refresh)\n", "		s.stop(&s.refresh)\n"}}, ofValidator},
	{"end", "Close ends the fetch under way", []edit{{"jwks/keyset.go", "		if s.flight != nil {\n			s.flight.cancel()\n		}\n", ""}}, ofKeys},
	{"end", "Close ends the requests under way", []edit{{"introspection/detached.go", "	for _, cancel := range d.cancels {\n		cancel()\n	}\n", ""}}, ofIntrospection},
}
