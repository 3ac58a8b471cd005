package main

// The adapters for Connect and MCP are modules of their own, whose tests are built there.
var (
	ofConnect = []suite{{folder: "adapters/connectauth"}}
	ofMCP     = []suite{{folder: "adapters/mcpauth"}}
)

const urisFile = "adapters/mcpauth/uris.go"

var doorMutants = []mutant{
	{"Connect", "messages that came before a stream's end are not handled after it", []edit{{"adapters/connectauth/stream.go", "	body.over.Store(true)\n", ""}}, ofConnect},
	{"Connect", "nor is one that its handler was waiting for", []edit{{"adapters/connectauth/body.go", "if b.over.Load() { // meanwhile", "if false {"}}, ofConnect},
	{"Connect", "handlers that outlive their streams are bounded", []edit{{"adapters/connectauth/stream.go", "	defer a.late.leave(running) // once the client has its answer\n", ""}}, ofConnect},
	{"Connect", "a unary call runs for a token that is good when its message is complete", []edit{{"adapters/connectauth/connectauth.go", "a.unary(&c.out, admitted, c, next, p.route, token)", "next.ServeHTTP(w, admitted)"}}, ofConnect},
	{"MCP", "a token that was revoked while its body came runs nothing", []edit{{"adapters/mcpauth/mcpauth.go", "ok := errors.AsType[*validator.Error](context.Cause(admitted.Context())); ok {", "ok := errors.AsType[*validator.Error](context.Cause(admitted.Context())); false && ok {"}}, ofMCP},
	{"MCP", "a needless escape matches no template", []edit{{urisFile, "value := uri[at[n]:at[n+1]]; needlessEscape(value) ||", "value := uri[at[n]:at[n+1]];"}}, ofMCP},
	{"MCP", "nor does an empty segment", []edit{{urisFile, " || emptySegment(uri, at[n], at[n+1])", ""}}, ofMCP},
	{"MCP", "a narrower template counts for what a server may read", []edit{{urisFile, "case !one.plain.MatchString(whole) && (bare == whole || !one.plain.MatchString(bare)):", "default:"}}, ofMCP},
	{"MCP", "a whole URI's rule does, in escapes", []edit{{urisFile, "	rules = append(rules, m.exact[whole]...)\n", ""}}, ofMCP},
	{"MCP", "and with a query or fragment", []edit{{urisFile, "rules = append(rules, m.exact[bare]...)", "_ = bare"}}, ofMCP},
	{"MCP", "no event holds what a client calls a thing", []edit{{"adapters/mcpauth/judge.go", "m.method, of[0], len(t.name), of[1])", "m.method, of[0]+t.name, len(t.name), of[1])"}}, ofMCP},
	{"MCP", "or a method", []edit{{"adapters/mcpauth/judge.go", "bytes has no rule (Rules.Methods)\", len(m.method))", "bytes has no rule (Rules.Methods)%s\", len(m.method), m.method)"}}, ofMCP},
	{"MCP", "the resources of a request are bounded in number", []edit{{"adapters/mcpauth/message.go", "named > mostTargets ||", ""}}, ofMCP},
	{"MCP", "and in length", []edit{{"adapters/mcpauth/message.go", "|| length > mostURIs", ""}}, ofMCP},
	{"MCP", "nothing is resumed", []edit{{"adapters/mcpauth/judge.go", "case r.Header[fieldEvent] != nil:", "case false:"}}, ofMCP},
	{"MCP", "a token that names nobody has no session", []edit{{"adapters/mcpauth/judge.go", "case r.Header[fieldSession] != nil && token", "case false && token"}}, ofMCP},
}
