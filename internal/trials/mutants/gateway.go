package main

const (
	gatewayRoom = "cmd/m2mguard/internal/gateway"
	serveRoom   = "cmd/m2mguard/internal/serve"
)

// ofGateway are the tests of the gate beside a proxy, in the program's module.
var ofGateway = []suite{{folder: gatewayRoom}}

// gatewayMutants are of the gate beside a proxy: who asks, what was asked, and what the
// API behind is told.
var gatewayMutants = []mutant{
	{"gateway", "whoever is in none of the proxy's networks is told nothing", []edit{{gatewayRoom + "/trust.go", "return p.Contains(peer.Addr().Unmap())", "return p.IsValid() || p.Contains(peer.Addr().Unmap())"}}, ofGateway},
	{"gateway", "nor is whoever shows another secret", []edit{{gatewayRoom + "/trust.go", "if good == 0 {", "if false {"}}, ofGateway},
	{"gateway", "a request that is described twice is refused", []edit{{gatewayRoom + "/proxy.go", "len(methods) != 1 || len(targets) != 1", "len(methods) == 0 || len(targets) == 0"}}, ofGateway},
	{"gateway", "so is an identity field in another spelling", []edit{{gatewayRoom + "/fields.go", " || slices.Contains(plainFields, plain) && strings.ToLower(name) != plain", ""}}, ofGateway},
	{"gateway", "and a field by which frameworks take another method or path", []edit{{gatewayRoom + "/fields.go", "slices.Contains(overriding, plain) || ", ""}}, ofGateway},
	{"gateway", "and a path whose dots or doubled slashes a reader resolves", []edit{
		{gatewayRoom + "/path.go", "			return \"\", errDots\n", ""},
		{gatewayRoom + "/path.go", "			return \"\", errEmpty\n", ""},
	}, ofGateway},
	{"gateway", "and one that is another route's without the slash at its end", []edit{{gatewayRoom + "/find.go", "other != at && other != g.nowhere && at != g.nowhere", "other == nil"}}, ofGateway},
	{"gateway", "what no route names is refused", []edit{{gatewayRoom + "/gateway.go", "g.nowhere = &route{gate: g.auth.Compile(httpauth.Gate{}), ", "g.nowhere = &route{"}}, ofGateway},
	{"gateway", "the certificate of the proxy itself is nobody's", []edit{{gatewayRoom + "/gateway.go", "	original.TLS = nil // the proxy's own certificate is none of its client's\n", ""}}, []suite{{serveRoom, "TestCertificates"}}},
	{"gateway", "each answer has every identity field, so that none is the client's", []edit{{gatewayRoom + "/gateway.go", "		w.Header()[name] = nothing\n", "		_ = name\n"}}, ofGateway},
	{"gateway", "a new file serves once it has the keys that it needs", []edit{{serveRoom + "/serve.go", "if err := s.warm(ctx, next); err != nil {", "if err := error(nil); err != nil {"}}, []suite{{folder: serveRoom}}},
	{"gateway", "nobody is sent to a gate that drains", []edit{{serveRoom + "/serve.go", "if s.draining.Load() {", "if false {"}}, []suite{{folder: serveRoom}}},
	{"gateway", "a fault of the file hides none of its gate's", []edit{{programConfig + "/file.go", "		more := f.Locate(errors.Join(f.beside(also(f))...))\n		d.faults = append(d.faults, flatten(more)...)\n", ""}}, []suite{{serveRoom, "TestFaultsAtOnce"}}},
}
