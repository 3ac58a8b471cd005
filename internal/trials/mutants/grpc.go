package main

// The gRPC adapter is a module of its own, whose tests are built there.
var ofGRPC = []suite{{folder: "adapters/grpcauth"}}

const (
	interceptFile = "adapters/grpcauth/intercept.go"
	callsFile     = "adapters/grpcauth/calls.go"
	grpcFile      = "adapters/grpcauth/grpcauth.go"
	decideFile    = "adapters/httpauth/decide.go"
)

var grpcMutants = []mutant{
	{"gRPC", "a unary call that is refused reaches no handler", []edit{{interceptFile, "if failure != nil {\n		return nil, answer", "if false {\n		return nil, answer"}}, ofGRPC},
	{"gRPC", "nor does a stream", []edit{{interceptFile, "if failure != nil {\n		return answer", "if false {\n		return answer"}}, ofGRPC},
	{"gRPC", "a method without a rule is refused", []edit{{grpcFile, "		route = a.unlisted\n", "		route = nil\n"}}, ofGRPC},
	{"gRPC", "a name is compared to its end, by its letters", []edit{{grpcFile, "route, listed = a.methods[name]", "route, listed = a.methods[strings.ToLower(strings.TrimSuffix(name, \"/\"))]"}}, ofGRPC},
	{"gRPC", "a method is in one list", []edit{neverCase(grpcFile, "twice")}, ofGRPC},
	{"gRPC", "a rule that lets nobody in is a fault", []edit{never(grpcFile, "err != nil || !g.Rule.Allows(all)")}, ofGRPC},
	{"gRPC", "a name is a full one", []edit{neverCase(grpcFile, "!fullName.MatchString(name)")}, ofGRPC},
	{"gRPC", "a proof is for the path of the method", []edit{{callsFile, "URL: name", "URL: \"/\""}}, ofGRPC},
	{"gRPC", "and for POST", []edit{{callsFile, "r := &validator.Request{Method: http.MethodPost,", "r := &validator.Request{Method: http.MethodGet,"}}, ofGRPC},
	{"gRPC", "and at the public URL", []edit{{decideFile, "shown.URL, refusal = m.urls.at(\"\", path, oneReading(path))", "_ = path"}}, ofGRPC},
	{"gRPC", "binary metadata is no field of a proxy's", []edit{{callsFile, "if !strings.HasPrefix(key, \":\") && !strings.HasSuffix(key, \"-bin\") {", "if !strings.HasPrefix(key, \":\") {"}}, ofGRPC},
	{"gRPC", "behind a proxy the connection's own certificate does not count", []edit{{callsFile, "if a.certificate == nil {", "if leaf(ctx) != nil || a.certificate == nil {"}}, ofGRPC},
	{"gRPC", "a proxy is known by its connection", []edit{{callsFile, "		case *net.TCPAddr, *net.UnixAddr:", "		case *net.IPAddr:"}}, ofGRPC},
	{"gRPC", "no handler sees a proxy's secret", []edit{never(callsFile, "removed")}, ofGRPC},
	{"gRPC", "a stream ends with its token", []edit{{interceptFile, "	case <-live.Done():\n", "	case <-ss.Context().Done():\n"}}, ofGRPC},
	{"gRPC", "its handler's context does", []edit{{interceptFile, "	cancel(over)\n", ""}}, ofGRPC},
	{"gRPC", "messages that came before its end are not handled after it", []edit{{interceptFile, "	handed.over.Store(over)\n", ""}}, ofGRPC},
	{"gRPC", "nor is one that its handler was waiting for", []edit{{interceptFile, "over != nil { // meanwhile", "false && over != nil {"}}, ofGRPC},
	{"gRPC", "handlers that outlive their streams are bounded", []edit{{interceptFile, "	a.late.leave(running)\n", ""}}, ofGRPC},
	{"gRPC", "a stream that only reports ends by revocation alone", []edit{never(decideFile, "rt.gate.DangerouslyReportOnly && e.Check() != validator.CheckRevoked")}, ofGRPC},
	{"gRPC", "or by that", []edit{{decideFile, "rt.gate.DangerouslyReportOnly && e.Check() != validator.CheckRevoked", "rt.gate.DangerouslyReportOnly"}}, ofGRPC},
	{"gRPC", "a handler's panic goes up", []edit{neverCase(interceptFile, "r.panicked != nil")}, ofGRPC},
	{"gRPC", "a late one ends no process in silence", []edit{never(interceptFile, "!r.settled.CompareAndSwap(false, true) && r.panicked != nil")}, ofGRPC},
	{"gRPC", "events hold no name that a client made up", []edit{never(interceptFile, "srv == nil && !listed")}, ofGRPC},
	{"gRPC", "a nonce is handed out on success, by unary calls", []edit{{interceptFile, "if accepted.Nonce != \"\" {\n		_ = call", "if false {\n		_ = call"}}, ofGRPC},
	{"gRPC", "and by streams", []edit{{interceptFile, "if accepted.Nonce != \"\" {\n		_ = ss", "if false {\n		_ = ss"}}, ofGRPC},
	{"gRPC", "where the header has gone out, a challenge is in the trailer", []edit{{"adapters/grpcauth/answers.go", "		to.SetTrailer(md) // the header has gone out\n", ""}}, ofGRPC},
	{"gRPC", "what a reason says stays here", []edit{{"adapters/grpcauth/answers.go", "return r.status.Err().Error()", "return r.reason.Error()"}}, ofGRPC},
	{"gRPC", "an option that is no scope makes no rule", []edit{never("adapters/grpcauth/option.go", "!scopes.Valid(name)")}, ofGRPC},
	{"gRPC, guardtest", "a method in no list is reported", []edit{neverCase("adapters/grpcauth/grpcguardtest/grpcguardtest.go", "lists == 0")}, []suite{{folder: "adapters/grpcauth/grpcguardtest"}}},
	{"gRPC, guardtest", "a service that nobody registered is asked", []edit{{"adapters/grpcauth/grpcguardtest/grpcguardtest.go", "!got.refused() && !got.unimplemented()", "false && !got.refused() && !got.unimplemented()"}}, []suite{{folder: "adapters/grpcauth/grpcguardtest"}}},
}
