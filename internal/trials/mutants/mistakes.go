package main

// mistakeMutants concern what users of this module do by mistake, and what they
// read about it.
var mistakeMutants = []mutant{
	{"mistakes", "an issuer's name is checked wherever its keys come from", []edit{{"validator/settle.go", "cmp.Or(checkIdentifier(c.URL), ", "cmp.Or("}}, ofValidator},
	{"mistakes", "a name that no token can hold is refused", []edit{{"validator/identifier.go", "		case hasUnseen(name):\n", "		case false && hasUnseen(name):\n"}}, ofValidator},
	{"mistakes", "a preset's fault stays New's, whatever is changed", []edit{{"validator/insist.go", "{ i.refusals = append(slices.Clip(i.refusals), reason) }", "{ i.URL = slices.Clip([]string{reason})[0] }"}}, ofProviders},
	{"mistakes", "an audience that no token of the provider has is refused", []edit{{"validator/providers/entra.go", "case !guid.MatchString(audience):", "case false:"}}, ofProviders},
	{"mistakes", "a pool has the issuer that was asked for alone", []edit{{"validator/providers/cognito.go", "host, pool = issuer[1]+host, issuer[3]", "pool = issuer[3]"}}, ofProviders},
	{"mistakes", "an empty secret is refused", []edit{{"introspection/auth.go", "	case strings.TrimSpace(s) == \"\":\n", "	case false:\n"}}, ofIntrospection},
	{"mistakes", "a secret with a line break is not sent", []edit{{"introspection/auth.go", "	case hasControl(secret):\n", "	case false:\n"}}, ofIntrospection},
	{"mistakes", "a Validator that New did not make is no panic", []edit{{"validator/verify.go", "	if !v.made() {\n		return nil, \"\", errNotMade\n	}\n", ""}}, ofValidator},
	{"printing", "a token prints no claim", []edit{{"validator/print.go", "io.WriteString(state, t.String())", "io.WriteString(state, string(t.there().claims))"}}, ofValidator},
	{"printing", "a token in a hidden field prints no claim", []edit{{"validator/token.go", "	said **contents\n", "	said **contents\n	shown contents\n"}, {"validator/token.go", "	s.token.said = &s.ref\n", "	s.token.said, s.token.shown = &s.ref, c\n"}}, ofValidator},
	{"printing", "what differs is not cut out of a long value", []edit{{"internal/quote/quote.go", "at >= head && at < len(v)-tail", "at >= head && at < 0"}}, ofQuote},
	{"printing", "the values that resemble each other are shown, of many", []edit{{"internal/quote/quote.go", "if like > likes[best] {", "if likes[best] < 0 && like > likes[best] {"}}, ofQuote},
	{"printing", "where a JSON text breaks is said without quoting it", []edit{{"internal/strictjson/why.go", "return \"it is no JSON from there on\"", "return string(text)"}}, []suite{{folder: "internal/strictjson"}}},
	{"refusals", "a header field that ErrorHandler changed stays so", []edit{{"adapters/httpauth/failure.go", "known && !slices.Equal(was, h[name])", "known && was == nil"}}, ofAdapters},
	{"refusals", "a refusal that a program made answers with its body", []edit{{"adapters/httpauth/failure.go", "if f.json != nil && f.Body == f.made {", "if true {"}}, ofAdapters},
	{"refusals", "a panic that was swallowed is no 200 in Gin", []edit{never("adapters/ginauth/ginauth.go", "!answered && !c.Writer.Written()")}, ofGin},
	{"refusals", "no handler runs after a panic that was swallowed in Gin", []edit{{"adapters/ginauth/ginauth.go", "			c.Abort()\n", ""}}, ofGin},
}

var (
	ofProviders = []suite{{folder: "validator/providers"}}
	ofQuote     = []suite{{folder: "internal/quote"}}
	ofGin       = []suite{{folder: "adapters/ginauth"}}
)
