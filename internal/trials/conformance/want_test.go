package conformance

import (
	"testing"
)

// TestCodes: the codes of gRPC and Connect are those of DESIGN.md's table.
func TestCodes(t *testing.T) {
	for _, tc := range []struct {
		want Want
		code uint32
	}{
		{letIn(""), 0}, {badRequest, 3}, {denied, 7}, {insufficientScope("a"), 7}, {tooMany, 8}, {unavailable, 14}, {unauthorized, 16}, {revoked, 16},
	} {
		if code := tc.want.Code(); code != tc.code {
			t.Errorf("%d %s: code %d, wanted %d", tc.want.Status, tc.want.Error, code, tc.code)
		}
	}
}

// TestRoutesAreProcedures: each has a name of its own, as gRPC writes them.
func TestRoutesAreProcedures(t *testing.T) {
	seen := make(map[string]string)
	for _, name := range []string{"orders", "group/read", "group/write"} {
		r := Route{Gate: Require, Name: name}
		seen[r.Procedure()] = r.Path()
	}
	for procedure, path := range map[string]string{
		"/conformance.v1.Require/Orders":     "/require/orders",
		"/conformance.v1.Require/GroupRead":  "/require/group/read",
		"/conformance.v1.Require/GroupWrite": "/require/group/write",
	} {
		if seen[procedure] != path {
			t.Errorf("%s is %q, wanted %q", procedure, seen[procedure], path)
		}
	}
}

// TestPlain: what gRPC cannot carry is not plain.
func TestPlain(t *testing.T) {
	for _, q := range []Request{{Method: "HEAD"}, {Query: "a"}, {Form: "a"}, {Authorization: []string{"Bearer\ta"}}, {Authorization: []string{"Bearer é"}}} {
		if q.Plain() {
			t.Errorf("%+v is plain", q)
		}
	}
	if q := (Request{Authorization: []string{"Bearer a", ""}, Proofs: []string{"a"}}); !q.Plain() {
		t.Errorf("%+v is not plain", q)
	}
}
