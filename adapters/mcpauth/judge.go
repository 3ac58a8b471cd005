package mcpauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/m2mguard/m2mguard/validator"
)

// Codes of JSON-RPC 2.0 §5.1, and of MCP 2026-07-28.
const (
	codeParse    = -32700
	codeInvalid  = -32600
	codeNoMethod = -32601
	codeMismatch = -32020 // HeaderMismatch
)

// removed are methods that MCP 2026-07-28 has no longer, and that name a resource: they
// are unknown then, whatever they name.
var (
	removed    = []string{"resources/subscribe", "resources/unsubscribe"}
	errRemoved = errors.New("MCP-Protocol-Version has no such method")
)

// refusal is why a request of a good token is refused before the server sees it, and the
// answer. What a client reads holds no part of its request but the id.
type refusal struct {
	status int
	code   int    // of JSON-RPC; 0 for an answer without
	says   string // to the client
	id     []byte
	cause  error  // to the observer
	denied string // the pattern of what the API's policy, its rules, forbids; else ""
	allow  string // the field Allow
}

// bad is a refusal for the form of a request.
func bad(code int, says string, cause error) *refusal {
	return &refusal{status: http.StatusBadRequest, code: code, says: says, cause: cause}
}

// judged is what a request asks for.
type judged struct {
	body []byte // nil where there may be none
	name string // that Mcp-Name says, decoded
	op   *operation
}

// judge reads a request whose token is good, and says what it does.
func (m *Middleware) judge(w http.ResponseWriter, r *http.Request) (judged, *refusal) {
	for _, field := range []string{fieldMethod, fieldName, fieldVersion, fieldSession} {
		if len(r.Header[field]) > 1 {
			return judged{}, bad(codeMismatch, "Header mismatch: a field is there twice.", fmt.Errorf("there are two fields %s", field))
		}
	}
	switch token := validator.FromContext(r.Context()); {
	case r.Header[fieldEvent] != nil:
		// What is replayed was the answer to a request whose rule may be another.
		return judged{}, bad(codeInvalid, "Last-Event-ID is not accepted: streams are not resumed.", errors.New("Last-Event-ID asks for events of another request"))
	case r.Header[fieldSession] != nil && token.ClientID() == "" && token.Subject() == "":
		return judged{}, bad(codeInvalid, "A session needs a token that names its client.", errors.New("the token has neither client_id nor sub, by which a session is kept to its owner"))
	}
	switch r.Method {
	case http.MethodPost:
		body, refused := m.read(w, r)
		if refused != nil {
			return judged{}, refused
		}
		return m.judgeBody(r.Header, body)
	case http.MethodGet, http.MethodDelete:
		if r.ContentLength != 0 {
			return judged{}, bad(codeInvalid, "This method has no body.", errors.New("a GET or DELETE has a body"))
		}
		return judged{op: m.base}, nil
	}
	return judged{}, &refusal{status: http.StatusMethodNotAllowed, says: "Method not allowed.", allow: "GET, POST, DELETE", cause: errors.New("the HTTP method is none of MCP's: GET, POST and DELETE")}
}

// judgeBody says what a body does, if the header says the same.
func (m *Middleware) judgeBody(h http.Header, body []byte) (judged, *refusal) {
	version := h.Get(fieldVersion)
	messages, batch, err := readBody(body)
	switch {
	case errors.Is(err, errSyntax):
		return judged{}, bad(codeParse, "Parse error: the body is not strict JSON.", err)
	case err == errParams && version >= withFields && slices.Contains(removed, messages[0].method):
		f := messages[0].noMethod()
		f.cause = errRemoved
		return judged{}, f
	case err != nil:
		f := bad(codeInvalid, "Invalid request: the body is no JSON-RPC message that can be read in one way.", err)
		if len(messages) == 1 {
			f.id = messages[0].id
		}
		return judged{}, f
	case batch && version >= withoutBatches:
		return judged{}, bad(codeInvalid, "Invalid request: this revision has no batches.", errNoBatch)
	}
	if refused := agree(h, messages, batch); refused != nil {
		return judged{}, refused
	}
	op, refused := m.need(messages)
	if refused != nil && refused.code == codeNoMethod && (version < withFields || !messages[0].call) {
		refused.status = http.StatusBadRequest // before, 404 said that a session had ended
	}
	_, name, _ := standardFields(h)
	return judged{body, name, op}, refused
}

// read reads the body.
func (m *Middleware) read(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	large := &refusal{status: http.StatusRequestEntityTooLarge, says: "The body is too large.", cause: fmt.Errorf("the body has more than %d bytes (Config.MaxBody)", m.maxBody)}
	if r.ContentLength > m.maxBody {
		return nil, large
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, m.maxBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, large
	case err != nil:
		return nil, bad(codeParse, "Parse error: the body broke off.", errors.New("the body broke off"))
	}
	return body, nil
}

func (m *message) mismatch(why string) *refusal {
	f := bad(codeMismatch, "Header mismatch: "+why+".", errors.New(why))
	f.id = m.id
	return f
}

// What a client calls something may hold a secret, or anything: causes say how long it is.

func (m *message) noMethod() *refusal {
	return &refusal{status: http.StatusNotFound, code: codeNoMethod, says: "Method not found", id: m.id, cause: fmt.Errorf("a method with a name of %d bytes has no rule (Rules.Methods)", len(m.method))}
}

func (m *message) noRule(t target) *refusal {
	of := map[kind][2]string{tool: {"a tool", "Tools"}, prompt: {"a prompt", "Prompts"}, resource: {"a resource", "Resources"}}[t.kind]
	return &refusal{denied: m.method, cause: fmt.Errorf("%s of %s with a name of %d bytes has no rule (Rules.%s)", m.method, of[0], len(t.name), of[1])}
}

// refuse tells the observer and answers.
func (m *Middleware) refuse(w http.ResponseWriter, r *http.Request, f *refusal) {
	if f.denied != "" {
		m.http.Fail(w, r, m.http.Denial(r, f.denied, f.cause))
		return
	}
	token := validator.FromContext(r.Context())
	check, cause := validator.CheckRequest, fmt.Errorf("the credentials are good, but %w", f.cause)
	if f.code == codeNoMethod {
		check, cause = validator.CheckPolicy, f.cause
	}
	m.validator.ReportRefusal(r.Context(), &validator.Request{Scheme: "Bearer", Method: r.Method, Route: m.base.name}, token, validator.NewError(check).Because(cause))
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if f.allow != "" {
		h.Set("Allow", f.allow)
	}
	if f.code == 0 {
		http.Error(w, f.says, f.status)
		return
	}
	answer := struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id,omitempty"`
		Error   struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}{Version: "2.0", ID: f.id}
	answer.Error.Code, answer.Error.Message = f.code, f.says
	h.Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(answer) // the client may have gone
}
