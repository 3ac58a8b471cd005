package mcpauth

import (
	"encoding/json"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// FuzzBody: what is read of a body that is accepted is what the SDK reads of it, and what
// encoding/json does, which takes other cases of a name for it.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"name":"b"}}}`,
		`{"jsonrpc":"2.0","id":"x","method":"resources/read","params":{"uri":"a://b","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":null,"method":"ping","params":null}`,
		`{"jsonrpc":"2.0","id":1,"m\u0065thod":"tools/call","params":{"Name":"b","name":"a"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping"}`,
		`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a"}}}`,
		"\ufeff{}", `[]`, `{} {}`, `"`, `{"a":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		messages, batch, err := readBody(body)
		if err != nil || batch {
			return
		}
		m := messages[0]
		decoded, err := jsonrpc.DecodeMessage(body)
		if err != nil {
			return // which the server refuses then
		}
		request, isRequest := decoded.(*jsonrpc.Request)
		if isRequest != (m.method != "") {
			t.Fatalf("%q: a request: %v, and %q here", body, isRequest, m.method)
		}
		if !isRequest {
			return
		}
		if request.Method != m.method || request.IsCall() != m.call {
			t.Errorf("%q: %q, call %v, and %q, %v here", body, request.Method, request.IsCall(), m.method, m.call)
		}
		var params struct{ Name, URI string }
		if k := naming[m.method]; k != nothing && json.Unmarshal(request.Params, &params) == nil {
			if got := map[kind]string{tool: params.Name, prompt: params.Name, resource: params.URI}[k]; got != m.targets[0].name {
				t.Errorf("%q names %q, and %q here", body, got, m.targets[0].name)
			}
		}
	})
}
