package main

// ofGates are the tests of what gates let through, in every framework.
var ofGates = []suite{{folder: "internal/trials/adaptertest"}}

var ofGuards = []suite{{folder: "adapters/guardtest"}}

// gateMutants concern what a route asks beside a good token with a scope.
var gateMutants = []mutant{
	{"gates", "an Authorization field beside what Credentials found is refused", []edit{{"adapters/httpauth/credentials.go", "case len(fields) == 1 && !holds(", "case false && !holds("}}, ofGates},
	{"gates", "two Authorization fields beside it are refused", []edit{{"adapters/httpauth/credentials.go", "case len(fields) > 1:", "case false:"}}, ofGates},
	{"gates", "what Credentials found has the scheme Bearer", []edit{{"adapters/httpauth/credentials.go", `case !strings.EqualFold(scheme, "Bearer") && !(m.proofs() && strings.EqualFold(scheme, "DPoP")):`, "case false:"}}, ofGates},
	{"gates", "an error of Credentials lets nobody in", []edit{never("adapters/httpauth/credentials.go", "err != nil")}, ofGates},
	{"gates", "Optional judges what was sent", []edit{{"adapters/httpauth/gate.go", "rt.gate.Optional && (refusal == errNothing || refusal == errNotFound)", "rt.gate.Optional"}}, ofGates},
	{"gates", "a policy's no is a no", []edit{ignoring("adapters/httpauth/gate.go", "rt.gate.Policy(ctx, accepted.Token)")}, ofGates},
	{"gates", "a policy that cannot tell is 503", []edit{{"adapters/httpauth/deny.go", "return errUnavailable.Because(err)", "return errPolicy.Because(err)"}}, ofGates},
	{"gates", "report-only for all loosens nothing that asks for more", []edit{{"adapters/httpauth/gate.go", "m.reportOnly && !g.strict()", "m.reportOnly"}}, ofGates},
	{"gates", "the last gate decides whose token a handler sees", []edit{{"adapters/httpauth/gate.go", "if accepted.Token != nil || validator.FromContext(ctx) != nil {", "if accepted.Token != nil {"}}, ofGates},
	{"gates", "another scheme is as if nothing had been sent", []edit{{"validator/verify.go", `r.Scheme != "" && r.Scheme != schemeBearer`, `false && r.Scheme != schemeBearer`}}, []suite{{"validator", "TestSchemes"}}},
	{"gates", "a policy's reason is no other kind of refusal", []edit{{"validator/errors.go", "ErrDenied, ErrThrottled, ErrUnavailable:\n		return false\n", "ErrDenied, ErrThrottled, ErrUnavailable:\n"}}, ofValidator},
	{"gates", "a policy's reason is quoted for logs", []edit{{"validator/errors.go", "return quote.Value(r.err.Error())", "return quote.Value(\"\") + r.err.Error()"}}, ofValidator},
	{"gates", "Gin runs no handler after Deny", []edit{{"adapters/ginauth/ginauth.go", "	c.Abort()\n	answered := false\n", "	answered := false\n"}}, ofGates},
	{"gates", "what is let through all the same is marked", []edit{{"adapters/httpauth/gate.go", "	shown.ReportOnly = rt.gate.DangerouslyReportOnly\n", ""}}, ofGates},
	{"gates", "an observer knows whom a policy refused", []edit{never("validator/observer.go", "!t.none()")}, ofGates},
	{"guardtest", "an open route is reported", []edit{{"adapters/guardtest/ask.go", "case passes && badPasses:", "case false:"}}, ofGuards},
	{"guardtest", "scopes that nobody wrote down are tried", []edit{{"adapters/guardtest/guardtest.go", "names = append(names, route.Rule.Names()...)", "_ = route"}}, ofGuards},
	{"guardtest", "a path with another slash is another route", []edit{{"adapters/guardtest/lists.go", "r.listed.slashed[path] && (", "(path != \"\") && ("}}, ofGuards},
	{"guardtest", "routes beside those that are listed are searched for", []edit{{"adapters/guardtest/lists.go", "	if r.mux == nil {", "	if true {"}}, ofGuards},
	{"guardtest", "a route for all methods is asked with all of them", []edit{{"adapters/guardtest/patterns.go", "	http.MethodOptions, http.MethodConnect, http.MethodTrace,\n", ""}}, ofGuards},
	{"guardtest", "a method that the router knows alone is asked", []edit{{"adapters/guardtest/ask.go", "slices.Concat(allMethods, r.listed.of(rest))", "slices.Clone(allMethods)"}}, ofGuards},
	{"guardtest", "an option beside Want hides no hole", []edit{{"adapters/guardtest/guardtest.go", "		r.ask(pattern)\n", "		if !r.public[pattern] && !r.reportOnly[pattern] {\n			r.ask(pattern)\n		}\n"}}, ofGuards},
	{"guardtest", "an option that concerns no route is reported", []edit{{"adapters/guardtest/lists.go", "} else if !r.there(pattern) {", "} else if false {"}}, ofGuards},
	{"guardtest", "a route that only reports is asked", []edit{{"adapters/guardtest/ask.go", "case got.status == http.StatusUnauthorized:", "case false:"}}, ofGuards},
	{"guardtest", "a name of chi's for a route hides no other", []edit{{"adapters/guardtest/ask.go", "q.path, q.spare = otherSlash(q.path), true\n			all = append(all, q)", "q.path, q.spare = otherSlash(q.path), true"}}, ofGuards},
	{"guardtest", "what Echo has for a host is listed", []edit{{"adapters/guardtest/patterns.go", "all.read(below, host.String())", "_, _ = below, host"}}, ofGuards},
	{"guardtest", "what Echo v5's own router has is listed", []edit{{"adapters/guardtest/patterns.go", "resultOf(router, \"Router\", reflect.Interface)", "resultOf(router, \"Router\", reflect.Map)"}}, ofGuards},
	{"guardtest", "a route of it for all methods is asked with each", []edit{{"adapters/guardtest/patterns.go", "if method == anyMethod {", "if method == anyMethod+path {"}}, ofGuards},
	{"guardtest", "a gate behind a handler of Gin's is reported", []edit{{"adapters/guardtest/patterns.go", "strings.HasPrefix(handler.String(), ginauth)", "false"}}, ofGuards},
	{"guardtest", "a method that is none hides no route", []edit{{"adapters/guardtest/patterns.go", "if method == notFound {", "if method != strings.ToUpper(method) {"}}, ofGuards},
	{"guardtest", "what takes paths without a route is asked", []edit{{"adapters/guardtest/guardtest.go", "\tr.askNowhere()\n", ""}}, ofGuards},
	{"guardtest", "it is asked below each prefix, too", []edit{{"adapters/guardtest/patterns.go", "all.fallbacks = append(all.fallbacks, path)", ""}}, ofGuards},
	{"guardtest", "a route whose path another one takes is reported", []edit{{"adapters/guardtest/shadows.go", "slices.Compare(looseness(other), looseness(own)) <= 0", "false"}}, ofGuards},
	{"guardtest", "a router that nobody can read is reported", []edit{{"adapters/guardtest/lists.go", "case (nothing || r.named) && !r.listed.kind:", "case false:"}}, ofGuards},
	{"guardtest", "an API without known routes is reported", []edit{{"adapters/guardtest/lists.go", "case nothing && len(r.listed.patterns) == 0:", "case false:"}}, ofGuards},
	{"guardtest", "a policy that refuses everybody hides no rule", []edit{{"adapters/guardtest/rules.go", "return got.status == http.StatusForbidden && !got.scopeMissing()", "return got.status == 0"}}, ofGuards},
	{"guardtest", "the scopes of a challenge are tried", []edit{{"adapters/guardtest/rules.go", "if q.learn(got) {", "if false {"}}, ofGuards},
	{"guardtest", "the largest sets of scopes that a rule refuses are tried", []edit{{"adapters/guardtest/rules.go", "sets = append(sets, slices.Concat(others, seed))", "_ = others"}}, ofGuards},
	{"guardtest", "the smallest that it allows are tried", []edit{{"adapters/guardtest/rules.go", "sets = append(sets, seed)\n", ""}}, ofGuards},
}
