package mcpauth

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// The fields of MCP's HTTP transport, in net/http's own spelling.
const (
	fieldMethod  = "Mcp-Method"
	fieldName    = "Mcp-Name"
	fieldVersion = "Mcp-Protocol-Version"
	fieldSession = "Mcp-Session-Id"
	fieldEvent   = "Last-Event-Id"
)

// Revisions of the specification that change what a request must be. They are compared
// as text, as the SDK does, so that an unknown one is a new one.
const (
	withoutBatches = "2025-06-18"
	withFields     = "2026-07-28" // Mcp-Method, Mcp-Name
)

// standardFields are the method and the name that a header announces, if each is there
// once at most and can be read in one way.
func standardFields(h http.Header) (method, name string, ok bool) {
	if len(h[fieldMethod]) > 1 || len(h[fieldName]) > 1 {
		return "", "", false
	}
	name, ok = decodeName(h.Get(fieldName))
	return h.Get(fieldMethod), name, ok && visible(h.Get(fieldMethod))
}

// decodeName reads Mcp-Name (MCP 2026-07-28, Value Encoding): visible ASCII as it is, or
// base64 of UTF-8, in one spelling.
func decodeName(value string) (string, bool) {
	const prefix, suffix = "=?base64?", "?="
	inner, wrapped := strings.CutPrefix(value, prefix)
	if wrapped {
		inner, wrapped = strings.CutSuffix(inner, suffix)
	}
	if !wrapped {
		return value, visible(value)
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(inner)
	if err != nil || strings.ContainsAny(inner, "\r\n") {
		return "", false
	}
	return string(decoded), true
}

// visible reports whether a value is printable ASCII, with spaces and tabs.
func visible(value string) bool {
	for n := range len(value) {
		if c := value[n]; c != '\t' && (c < 0x20 || c > 0x7e) {
			return false
		}
	}
	return true
}

// agree holds the header against the messages of the body: what a proxy goes by and what
// the server does must be the same (MCP 2026-07-28, Server Validation).
func agree(h http.Header, messages []message, batch bool) *refusal {
	method, name, ok := standardFields(h)
	version := h.Get(fieldVersion)
	one := &messages[0]
	mismatch := func(why string) *refusal { return one.mismatch(why) }
	switch {
	case !ok:
		return mismatch("Mcp-Method or Mcp-Name holds what no field may, or base64 that cannot be read in one way")
	case batch && (h[fieldMethod] != nil || h[fieldName] != nil):
		return mismatch("Mcp-Method or Mcp-Name stands beside a batch")
	case h[fieldMethod] != nil && method != one.method:
		return mismatch("Mcp-Method is not the body's method")
	case h[fieldName] != nil && (name == "" || name != one.name):
		return mismatch("Mcp-Name is not what the body names")
	}
	for n := range messages {
		if v := messages[n].version; v != "" && v != version {
			return messages[n].mismatch("MCP-Protocol-Version is not the version in _meta")
		}
	}
	if version < withFields || one.method == "" {
		return nil
	}
	if h[fieldMethod] == nil {
		return mismatch("Mcp-Method is missing, which MCP-Protocol-Version requires")
	}
	switch one.method {
	case "tools/call", "prompts/get", "resources/read":
		if h[fieldName] == nil {
			return mismatch("Mcp-Name is missing, which MCP-Protocol-Version requires")
		}
	}
	return nil
}
