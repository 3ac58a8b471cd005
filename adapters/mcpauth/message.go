package mcpauth

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// mostMessages bounds a batch, which revisions before 2025-06-18 have. Each message
	// has a rule of its own, and clients send a few.
	mostMessages = 32
	// mostTargets bounds the resources that one request may name, of a batch together.
	mostTargets = 256
	// mostURIs bounds their URIs, in bytes: each is held against each template, before
	// the token's scopes are known to be enough. It is 64 for each of mostTargets.
	mostURIs = 16 << 10
	// longestID is how much of a request's id an answer repeats, in bytes.
	longestID = 128
)

// message is what rules go by in a JSON-RPC message of a client.
type message struct {
	method  string // "" for a response
	call    bool   // it has an id: a request, and no notification
	id      []byte // as sent, to be repeated; nil for none
	targets []target
	name    string // what Mcp-Name may say; "" for nothing
	version string // in _meta; "" for none
}

// target is something that a rule can be of.
type target struct {
	kind kind
	name string
}

// What is wrong with a body. None holds a part of it.
var (
	errSyntax  = errors.New("the body is not strict JSON (RFC 8259, UTF-8, no byte order mark, no name twice, nothing after the value)")
	errBatch   = errors.New("the body is an array without a message, or with too many")
	errNoBatch = errors.New("MCP-Protocol-Version has no batches")
	errMessage = errors.New("a message is no JSON-RPC request, notification or response")
	errLike    = errors.New("a member's name differs from one that counts by the case of letters alone")
	errParams  = errors.New("the params are no object, or do not name what the method is about in one string")
	errTargets = errors.New("the resources that a request names are too many, or too long")
)

// readBody reads what a client sent, strictly: the SDK's reader takes the last of two
// members of a name, and leaves what follows the value.
func readBody(body []byte) (messages []message, batch bool, _ error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	whole, err := d.ReadValue()
	if err != nil {
		return nil, false, errSyntax
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, false, errSyntax
	}
	var named, length int
	read := func(v jsontext.Value) error {
		one, err := readMessage(v)
		messages = append(messages, one)
		for _, t := range one.targets {
			if t.kind == resource {
				named, length = named+1, length+len(t.name)
			}
		}
		if err == nil && (named > mostTargets || length > mostURIs) {
			err = errTargets
		}
		return err
	}
	if whole.Kind() != '[' {
		err := read(whole)
		return messages, false, err
	}
	err = elements(whole, mostMessages, errBatch, read)
	if err == nil && len(messages) == 0 {
		err = errBatch
	}
	return messages, true, err
}

// readMessage reads one. With an error comes what is known of it.
func readMessage(v jsontext.Value) (m message, err error) {
	top, err := members(v, errMessage, "jsonrpc", "id", "method", "params", "result", "error")
	if err != nil {
		return m, err
	}
	switch id := top["id"]; id.Kind() {
	case '"', '0':
		m.call = true
		if len(id) <= longestID {
			m.id = id
		}
	case 'n', 0:
	default:
		return m, errMessage
	}
	version, isText := text(top["jsonrpc"])
	if !isText || version != "2.0" {
		return m, errMessage
	}
	method, hasMethod := top["method"]
	if !hasMethod {
		if !m.call || top["params"] != nil || (top["result"] == nil) == (top["error"] == nil) {
			return m, errMessage
		}
		m.call = false
		return m, nil
	}
	if m.method, isText = text(method); !isText || m.method == "" || top["result"] != nil || top["error"] != nil {
		return m, errMessage
	}
	return m, m.readParams(top["params"])
}

// readParams finds what the method is about.
func (m *message) readParams(params jsontext.Value) error {
	named := naming[m.method]
	if k := params.Kind(); k == 0 || k == 'n' {
		if named != nothing || m.method == methodComplete {
			return errParams
		}
		return nil
	}
	in, err := members(params, errParams, counts(m.method)...)
	if err != nil {
		return err
	}
	if meta := in["_meta"]; meta.Kind() == '{' {
		const version = "io.modelcontextprotocol/protocolVersion"
		of, err := members(meta, errParams, version)
		if err != nil {
			return err
		}
		m.version, _ = text(of[version])
	}
	switch {
	case named == tool, named == prompt:
		return m.about(in["name"], named)
	case named == resource:
		return m.about(in["uri"], named)
	case m.method == methodComplete:
		return m.readReference(in["ref"])
	case m.method == methodListen:
		return m.readSubscriptions(in["notifications"])
	}
	m.name, _ = text(in["taskId"])
	return nil
}

// counts are the members of the params that say what a method is about.
func counts(method string) []string {
	switch named := naming[method]; {
	case named == tool, named == prompt:
		return []string{"_meta", "name"}
	case named == resource:
		return []string{"_meta", "uri"}
	case method == methodComplete:
		return []string{"_meta", "ref"}
	case method == methodListen:
		return []string{"_meta", "notifications"}
	case strings.HasPrefix(method, "tasks/"): // of an extension, which Rules.Methods may add
		return []string{"_meta", "taskId"}
	}
	return []string{"_meta"}
}

// about takes the one thing that the method is about.
func (m *message) about(v jsontext.Value, k kind) error {
	name, ok := text(v)
	if !ok || name == "" {
		return errParams
	}
	m.targets, m.name = []target{{k, name}}, name
	return nil
}

// readReference reads what a completion is for: an argument of a prompt, or of a template
// of resources.
func (m *message) readReference(ref jsontext.Value) error {
	in, err := members(ref, errParams, "type", "name", "uri")
	if err != nil {
		return err
	}
	switch kind, _ := text(in["type"]); {
	case kind == "ref/prompt" && in["uri"] == nil:
		err = m.about(in["name"], prompt)
	case kind == "ref/resource" && in["name"] == nil:
		err = m.about(in["uri"], resource)
	default:
		err = errParams
	}
	m.name = "" // no field says it
	return err
}

// readSubscriptions reads whose changes a client wants to hear of.
func (m *message) readSubscriptions(v jsontext.Value) error {
	if v == nil || v.Kind() == 'n' {
		return nil
	}
	const subscriptions = "resourceSubscriptions"
	in, err := members(v, errParams, subscriptions)
	if err != nil || in[subscriptions] == nil || in[subscriptions].Kind() == 'n' {
		return err
	}
	return elements(in[subscriptions], mostTargets, errTargets, func(v jsontext.Value) error {
		uri, ok := text(v)
		if !ok || uri == "" {
			return errParams
		}
		m.targets = append(m.targets, target{resource, uri})
		return nil
	})
}

// members are those of an object that count, by name. One whose name is like one of
// theirs is refused: some readers take it for that.
func members(v jsontext.Value, otherwise error, count ...string) (map[string]jsontext.Value, error) {
	if v.Kind() != '{' {
		return nil, otherwise
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(v))
	if _, err := d.ReadToken(); err != nil {
		return nil, errSyntax
	}
	found := make(map[string]jsontext.Value, len(count))
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, errSyntax
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, errSyntax
		}
		for _, one := range count {
			if name == one {
				found[one] = value.Clone()
			} else if strings.EqualFold(name, one) {
				return nil, errLike
			}
		}
	}
	return found, nil
}

// elements calls visit for each element of an array, of which there are so many at most.
func elements(v jsontext.Value, most int, many error, visit func(jsontext.Value) error) error {
	if v.Kind() != '[' {
		return errParams
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(v))
	if _, err := d.ReadToken(); err != nil {
		return errSyntax
	}
	for n := 0; d.PeekKind() != ']'; n++ {
		value, err := d.ReadValue()
		switch {
		case err != nil:
			return errSyntax
		case n == most:
			return many
		}
		if err := visit(value.Clone()); err != nil {
			return err
		}
	}
	return nil
}

// text is the value of a string.
func text(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	plain, err := jsontext.AppendUnquote(nil, v)
	return string(plain), err == nil
}
