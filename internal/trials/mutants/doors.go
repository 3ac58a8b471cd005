package main

// The adapters for Connect and MCP are modules of their own, whose tests are built there.
var ofConnect = []suite{{folder: "adapters/connectauth"}}

var doorMutants = []mutant{
	{"Connect", "messages that came before a stream's end are not handled after it", []edit{{"adapters/connectauth/stream.go", "	body.over.Store(true)\n", ""}}, ofConnect},
	{"Connect", "nor is one that its handler was waiting for", []edit{{"adapters/connectauth/body.go", "if b.over.Load() { // meanwhile", "if false {"}}, ofConnect},
	{"Connect", "handlers that outlive their streams are bounded", []edit{{"adapters/connectauth/stream.go", "	defer a.late.leave(running) // once the client has its answer\n", ""}}, ofConnect},
	{"Connect", "a unary call runs for a token that is good when its message is complete", []edit{{"adapters/connectauth/connectauth.go", "a.unary(w, admitted, next, p.route, token)", "next.ServeHTTP(w, admitted)"}}, ofConnect},
}
