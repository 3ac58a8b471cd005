package mcpauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

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
	cause  error   // to the observer
	denied *denied // or: a policy's 403
	allow  string  // the field Allow
}

// denied is a refusal that is no fault of the request's form.
type denied struct{ pattern string }

// judge reads a request whose token is good, and says what it does. The body is nil for
// a request that may have none; the name is what Mcp-Name says, decoded.
func (m *Middleware) judge(w http.ResponseWriter, r *http.Request) (body []byte, name string, _ *operation, _ *refusal) {
	for _, field := range []string{fieldMethod, fieldName, fieldVersion, fieldSession} {
		if len(r.Header[field]) > 1 {
			return nil, "", nil, &refusal{status: http.StatusBadRequest, code: codeMismatch, says: "Header mismatch: a field is there twice.", cause: fmt.Errorf("there are two fields %s", field)}
		}
	}
	switch r.Method {
	case http.MethodPost:
	case http.MethodGet, http.MethodDelete:
		if r.ContentLength != 0 {
			return nil, "", nil, &refusal{status: http.StatusBadRequest, code: codeInvalid, says: "This method has no body.", cause: errors.New("a GET or DELETE has a body")}
		}
		return nil, "", nil, nil
	default:
		return nil, "", nil, &refusal{status: http.StatusMethodNotAllowed, says: "Method not allowed.", allow: "GET, POST, DELETE", cause: errors.New("the HTTP method is none of MCP's: GET, POST and DELETE")}
	}
	body, refused := m.read(w, r)
	if refused != nil {
		return nil, "", nil, refused
	}
	messages, batch, err := readBody(body)
	version := r.Header.Get(fieldVersion)
	switch {
	case err == errParams && version >= withFields && slices.Contains(removed, messages[0].method):
		f := messages[0].noMethod()
		f.cause = errRemoved
		return nil, "", nil, f
	case err != nil:
		f := &refusal{status: http.StatusBadRequest, code: codeInvalid, says: "Invalid request: the body is no JSON-RPC message that can be read in one way.", cause: err}
		if errors.Is(err, errSyntax) {
			f.code, f.says = codeParse, "Parse error: the body is not strict JSON."
		}
		if len(messages) == 1 {
			f.id = messages[0].id
		}
		return nil, "", nil, f
	}
	if batch && version >= withoutBatches {
		return nil, "", nil, &refusal{status: http.StatusBadRequest, code: codeInvalid, says: "Invalid request: this revision has no batches.", cause: errNoBatch}
	}
	if refused := agree(r.Header, messages, batch); refused != nil {
		return nil, "", nil, refused
	}
	_, name, _ = standardFields(r.Header)
	op, refused := m.need(messages)
	if refused != nil && refused.code == codeNoMethod && (version < withFields || !messages[0].call) {
		refused.status = http.StatusBadRequest // before, 404 said that a session had ended
	}
	return body, name, op, refused
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
		return nil, &refusal{status: http.StatusBadRequest, code: codeParse, says: "Parse error: the body broke off.", cause: errors.New("the body broke off")}
	}
	return body, nil
}

func (m *message) mismatch(why string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: codeMismatch, says: "Header mismatch: " + why + ".", id: m.id, cause: errors.New(why)}
}

func (m *message) noMethod() *refusal {
	return &refusal{status: http.StatusNotFound, code: codeNoMethod, says: "Method not found", id: m.id, cause: fmt.Errorf("the method %s has no rule (Rules.Methods)", bounded(m.method))}
}

func (m *message) noRule(t target) *refusal {
	field := map[kind]string{tool: "Tools", prompt: "Prompts", resource: "Resources"}[t.kind]
	return &refusal{denied: &denied{m.method}, cause: fmt.Errorf("%s of %s has no rule (Rules.%s)", m.method, bounded(t.name), field)}
}

// longestName is how much of a name that a client sent an observer is told, in bytes.
const longestName = 128

// bounded quotes it, in ASCII.
func bounded(name string) string {
	if len(name) > longestName {
		return strconv.QuoteToASCII(name[:longestName]) + "…"
	}
	return strconv.QuoteToASCII(name)
}

// refuse tells the observer and answers.
func (m *Middleware) refuse(w http.ResponseWriter, r *http.Request, f *refusal) {
	if f.denied != nil {
		m.http.Fail(w, r, m.http.Denial(r, f.denied.pattern, f.cause))
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
