package main

// What a call without a rule gets, and how handlers' own refusals and streams end. The
// adapters are modules of their own, whose tests are built there.
var (
	ofConnectCalls = []suite{{folder: "adapters/connectauth"}}
	ofMCPRules     = []suite{{folder: "adapters/mcpauth"}}
)

const (
	connectFile  = "adapters/connectauth/connectauth.go"
	mcpRulesFile = "adapters/mcpauth/rules.go"
)

var unlistedMutants = []mutant{
	{"gRPC", "no challenge asks for a scope where none helps", []edit{{grpcFile, "	if reportOnly {\n		return httpauth", "	if true {\n		return httpauth"}}, ofGRPC},
	{"Connect", "a procedure without a rule is refused", []edit{{connectFile, "	return a.unlisted\n", "	return new(procedure)\n"}}, ofConnectCalls},
	{"Connect", "no challenge asks for a scope where none helps", []edit{{connectFile, "	if reportOnly {\n		gate = httpauth", "	if true {\n		gate = httpauth"}}, ofConnectCalls},
	{"Connect", "a forgotten procedure has its name in the log", []edit{never(connectFile, "a.procedures[name] == nil")}, ofConnectCalls},
	{"Connect", "what Deny wants is the answer, whichever version its handler is of", []edit{{"adapters/connectauth/writer.go", "w.denied.Load() != nil", "false"}}, ofConnectCalls},
	{"Connect", "the end of a stream is for the host of its request", []edit{{decideFile, "host := r.Host", "host := \"\""}}, ofConnectCalls},
	{"MCP", "a rule that lets nobody in is a fault", []edit{never(mcpRulesFile, "letsNobodyIn(field.rules[name])")}, ofMCPRules},
	{"MCP", "of all requests, too", []edit{never(mcpRulesFile, "r.Base != nil && letsNobodyIn(*r.Base)")}, ofMCPRules},
	{"MCP", "an operation is called in events what Routes calls it", []edit{{mcpRulesFile, "op := &operation{m.base.route, method, base}", "op := m.base"}}, ofMCPRules},
}
