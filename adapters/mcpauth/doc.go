// Package mcpauth makes an MCP server of github.com/modelcontextprotocol/go-sdk a
// resource server, as the specification's revision of 2026-07-28 wants it; clients of
// older revisions get the same.
//
//	auth := mcpauth.New(v, mcpauth.Rules{
//		Tools: map[string]scopes.Rule{"list_orders": scopes.All("orders:read")},
//	}, &mcpauth.Config{PublicURL: []string{"https://api.example.com/mcp"}})
//	mux.Handle("/mcp", auth.Protect(mcp.NewStreamableHTTPHandler(getServer, options)))
//	auth.MountMetadata(mux)
//
// A request passes with a good token that is meant for this server, whose scopes are
// enough for what it does: for the tool that it calls, the prompt it gets, the resource
// it reads or subscribes to. What has no rule is refused. Which one it is, the fields
// Mcp-Method and Mcp-Name say, and they are held against the body; older revisions have
// the body alone. The answers are package httpauth's, and these of the protocol:
//
//	header and body disagree, or a header
//	that the revision requires is missing     400  JSON-RPC -32020
//	the body is no strict JSON, or is one
//	that two readers may take differently     400  JSON-RPC -32700 or -32600
//	Last-Event-ID, or a session for a token
//	that names neither client nor user        400  JSON-RPC -32600
//	a body of more than Config.MaxBody        413
//	a method that has no rule                 404  JSON-RPC -32601 (400 before 2026-07-28)
//	a tool, prompt or resource without a rule 403  access_denied, no challenge
//	a session of another client               403  by the SDK
//
// Event streams, and answers that take long, end with their token: when that expires or
// is revoked, or its key is withdrawn.
//
// Handlers find the token with [Token], and the SDK's TokenInfo beside it. The token's
// text is not handed on: the Authorization field is gone. A tool that finds out late
// which scopes it needs asks with [StepUp]; [Deny] is for its own policy.
//
// In a stateful session a handler's context is that of the request that opened the
// session, so validator.FromContext finds nothing there, and mcp.ServerRequest tells
// whose request it is. The SDK's auth.TokenInfoFromContext finds the token that opened the
// session there, whatever this request's own may do: do not decide by it.
//
// Any good token opens sessions: bound them with SessionTimeout of the SDK's options, or
// have none with Stateless. Nothing is resumed by Last-Event-ID.
package mcpauth
