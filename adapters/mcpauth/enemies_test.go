package mcpauth_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// TestBodiesOfEnemies: a client that may list orders tries to delete them all. Whatever
// it writes, the tool that runs is one that its token is good for, and the answer is
// ours, before the server sees anything. Each row starts from a good call of list_orders.
func TestBodiesOfEnemies(t *testing.T) {
	const (
		list = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_orders","arguments":{},` + meta + `}}`
		del  = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_all","arguments":{},` + meta + `}}`
		old  = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_all"}}`
	)
	mismatch, parse, invalid := -32020, -32700, -32600
	utf16le := func(text string) string {
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(text)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	none := func(http.Header) {}
	without := func(h http.Header) { // as before Mcp-Method
		h.Del("Mcp-Method")
		h.Del("Mcp-Name")
		h.Del("Mcp-Protocol-Version")
	}
	revision := func(version string) func(http.Header) {
		return func(h http.Header) { without(h); h.Set("Mcp-Protocol-Version", version) }
	}
	name := func(values ...string) func(http.Header) { return func(h http.Header) { h["Mcp-Name"] = values } }
	base64Of := func(text string) string { return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(text)) + "?=" }
	for what, tc := range map[string]struct {
		change func(http.Header)
		body   string
		status int
		code   int
	}{
		"the header says list, the body delete":           {none, del, 400, mismatch},
		"the same of an older revision":                   {func(h http.Header) { h.Set("Mcp-Protocol-Version", older) }, old, 400, mismatch},
		"the same without a revision":                     {func(h http.Header) { h.Del("Mcp-Protocol-Version") }, old, 400, mismatch},
		"the body alone, of an older revision":            {without, old, 403, 0},
		"the body alone, without the fields it must have": {revision(newest), del, 400, mismatch},
		"the same of a revision to come":                  {revision("2099-01-01"), strings.ReplaceAll(del, newest, "2099-01-01"), 400, mismatch},
		"the same of what is no revision":                 {revision("next"), strings.ReplaceAll(del, newest, "next"), 400, mismatch},
		"another method in the header":                    {func(h http.Header) { h.Set("Mcp-Method", "tools/list") }, del, 400, mismatch},
		"another case of the method":                      {func(h http.Header) { h.Set("Mcp-Method", "Tools/Call") }, list, 400, mismatch},
		"an empty method":                                 {func(h http.Header) { h.Set("Mcp-Method", "") }, list, 400, mismatch},
		"two fields of the method":                        {func(h http.Header) { h["Mcp-Method"] = []string{"tools/call", "tools/call"} }, list, 400, mismatch},
		"two fields of the name":                          {name("list_orders", "delete_all"), del, 400, mismatch},
		"two fields of the name, the other way":           {name("delete_all", "list_orders"), list, 400, mismatch},
		"two fields of the version":                       {func(h http.Header) { h["Mcp-Protocol-Version"] = []string{older, newest} }, list, 400, mismatch},
		"two fields of the session":                       {func(h http.Header) { h["Mcp-Session-Id"] = []string{"a", "b"} }, list, 400, mismatch},
		"two names in one field":                          {name("list_orders, delete_all"), del, 400, mismatch},
		"no name in the field":                            {name(""), del, 400, mismatch},
		"a name in base64 of another":                     {name(base64Of("list_orders")), del, 400, mismatch},
		"a name in base64, not its own spelling":          {name("=?base64?bGlzdF9vcmRlcnN=?="), list, 400, mismatch},
		"a name in base64 for URLs":                       {name("=?base64?bGlzdF9vcmRlcn-_?="), list, 400, mismatch},
		"a name in base64 with a break":                   {name("=?base64?bGlz\ndF9vcmRlcnM=?="), list, 400, mismatch},
		"a name in base64 in capitals":                    {name("=?BASE64?bGlzdF9vcmRlcnM=?="), list, 400, mismatch},
		"a name without a method":                         {func(h http.Header) { h.Del("Mcp-Method") }, list, 400, mismatch},
		"a method without its name":                       {func(h http.Header) { h.Del("Mcp-Name") }, list, 400, mismatch},
		"no method, where there is no name":               {func(h http.Header) { h.Del("Mcp-Name"); h.Del("Mcp-Method") }, strings.ReplaceAll(list, "tools/call", "tools/list"), 400, mismatch},
		"a name in base64 that is no UTF-8":               {name(base64Of("\xff")), list, 400, mismatch},
		"a name in percents":                              {name("list%5forders"), list, 400, mismatch},
		"a name in bytes beyond ASCII":                    {name("größe"), strings.ReplaceAll(list, "list_orders", "größe"), 400, mismatch},
		"a name that looks like base64, as it is":         {name(base64Of("list_orders")), strings.ReplaceAll(list, "list_orders", base64Of("list_orders")), 400, mismatch},
		"a name for a method that has none":               {func(h http.Header) { h.Set("Mcp-Method", "tools/list") }, strings.ReplaceAll(list, "tools/call", "tools/list"), 400, mismatch},
		"a version in _meta alone":                        {without, list, 400, mismatch},
		"a version in _meta that differs":                 {func(h http.Header) { h.Set("Mcp-Protocol-Version", older) }, list, 400, mismatch},
		"a version in _meta that differs, upwards":        {none, strings.ReplaceAll(list, newest, "2099-01-01"), 400, mismatch},

		"two names":                       {none, strings.Replace(list, `"name":`, `"name":"delete_all","name":`, 1), 400, parse},
		"two names, the other way":        {none, strings.Replace(list, `"arguments":`, `"name":"delete_all","arguments":`, 1), 400, parse},
		"two names, one in escapes":       {none, strings.Replace(list, `"arguments":`, `"n\u0061me":"delete_all","arguments":`, 1), 400, parse},
		"two methods":                     {none, strings.Replace(list, `"method":`, `"method":"tools/list","method":`, 1), 400, parse},
		"two params":                      {none, strings.Replace(list, `"params":`, `"params":{"name":"delete_all"},"params":`, 1), 400, parse},
		"two of something in arguments":   {none, strings.Replace(list, `"arguments":{`, `"arguments":{"a":1,"a":2`, 1), 400, parse},
		"a Name beside the name":          {none, strings.Replace(list, `"arguments":`, `"Name":"delete_all","arguments":`, 1), 400, invalid},
		"a Name in its place":             {without, strings.Replace(old, `"name"`, `"Name"`, 1), 400, invalid},
		"a METHOD beside the method":      {none, strings.Replace(list, `"method":`, `"METHOD":"tools/list","method":`, 1), 400, invalid},
		"a paramſ beside the params":      {none, strings.Replace(list, `"params":`, `"paramſ":{"name":"delete_all"},"params":`, 1), 400, invalid},
		"params that are an array":        {without, strings.Replace(old, `{"name":"delete_all"}`, `["delete_all"]`, 1), 400, invalid},
		"a name that is no string":        {without, strings.Replace(old, `"delete_all"`, `["delete_all"]`, 1), 400, invalid},
		"a name that is null":             {without, strings.Replace(old, `"delete_all"`, `null`, 1), 400, invalid},
		"no name":                         {without, strings.Replace(old, `"name"`, `"nome"`, 1), 400, invalid},
		"no params":                       {without, `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, 400, invalid},
		"a method that is null":           {without, strings.Replace(old, `"tools/call"`, `null`, 1), 400, invalid},
		"a method that is empty":          {without, strings.Replace(old, `"tools/call"`, `""`, 1), 400, invalid},
		"no version of JSON-RPC":          {without, strings.Replace(old, `"jsonrpc":"2.0",`, ``, 1), 400, invalid},
		"another version of JSON-RPC":     {without, strings.Replace(old, `"2.0"`, `2.0`, 1), 400, invalid},
		"an id that is an object":         {without, strings.Replace(old, `"id":1`, `"id":{}`, 1), 400, invalid},
		"a request that is a response":    {without, strings.Replace(old, `"id":1`, `"id":1,"result":{}`, 1), 400, invalid},
		"a response of two kinds":         {without, `{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}`, 400, invalid},
		"a response to nothing":           {without, `{"jsonrpc":"2.0","result":{}}`, 400, invalid},
		"nothing":                         {without, " ", 400, parse},
		"null":                            {without, "null", 400, invalid},
		"a string":                        {without, `"tools/call"`, 400, invalid},
		"a second value":                  {none, list + del, 400, parse},
		"a second value in a line":        {none, list + "\n" + del, 400, parse},
		"a zero at the end":               {none, list + "\x00", 400, parse},
		"half a value":                    {none, list[:len(list)-1], 400, parse},
		"a byte order mark":               {none, "\ufeff" + list, 400, parse},
		"UTF-16":                          {without, utf16le(old), 400, parse},
		"no UTF-8":                        {none, strings.Replace(list, `"arguments":{`, "\"arguments\":{\"a\":\"\xff\"", 1), 400, parse},
		"half a surrogate":                {none, strings.Replace(list, `list_orders`, `list_orders\ud800`, 1), 400, parse},
		"a comment":                       {none, "/* */" + list, 400, parse},
		"quotes of another kind":          {without, strings.ReplaceAll(old, `"`, `'`), 400, parse},
		"deep nesting":                    {without, strings.Repeat("[", 1<<20), 400, parse},
		"a batch of two calls":            {without, "[" + strings.ReplaceAll(old, "delete_all", "list_orders") + "," + strings.Replace(old, `"id":1`, `"id":2`, 1) + "]", 403, 0},
		"a batch of one":                  {without, "[" + old + "]", 403, 0},
		"a batch of nothing":              {without, "[]", 400, invalid},
		"a batch in a batch":              {without, "[[" + old + "]]", 400, invalid},
		"a batch of very many":            {without, "[" + strings.Repeat(strings.ReplaceAll(old, "delete_all", "list_orders")+",", 32) + old + "]", 400, invalid},
		"a batch beside fields":           {func(h http.Header) { h.Del("Mcp-Protocol-Version") }, "[" + strings.ReplaceAll(old, "delete_all", "list_orders") + "]", 400, mismatch},
		"a batch of a revision without":   {revision("2025-06-18"), "[" + strings.ReplaceAll(old, "delete_all", "list_orders") + "]", 400, invalid},
		"a batch of the newest":           {none, "[" + list + "]", 400, invalid},
		"a batch with a half good member": {without, "[" + strings.ReplaceAll(old, "delete_all", "list_orders") + `,{"jsonrpc":"2.0","id":2,"method":"tools/call"}]`, 400, invalid},

		"a tool without a rule":            {without, strings.Replace(old, "delete_all", "forgotten", 1), 403, 0},
		"a tool that is not there":         {without, strings.Replace(old, "delete_all", "nothing", 1), 403, 0},
		"another case of a tool":           {without, strings.Replace(old, "delete_all", "List_Orders", 1), 403, 0},
		"a tool with a space":              {without, strings.Replace(old, "delete_all", "list_orders ", 1), 403, 0},
		"a method of the server's own":     {without, strings.Replace(old, "tools/call", "acme/forgotten", 1), 400, -32601},
		"one that needs a scope":           {without, strings.Replace(old, "tools/call", "acme/export", 1), 403, 0},
		"a method of the newest":           {func(h http.Header) { h.Set("Mcp-Method", "acme/forgotten"); h.Del("Mcp-Name") }, strings.Replace(list, "tools/call", "acme/forgotten", 1), 404, -32601},
		"a notification that is unknown":   {func(h http.Header) { h.Set("Mcp-Method", "notifications/unknown"); h.Del("Mcp-Name") }, `{"jsonrpc":"2.0","method":"notifications/unknown","params":{` + meta + `}}`, 400, -32601},
		"a notification without its field": {func(h http.Header) { h.Del("Mcp-Method"); h.Del("Mcp-Name") }, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{` + meta + `}}`, 400, mismatch},
		"a batch with an unknown method":   {without, "[" + strings.ReplaceAll(old, "delete_all", "list_orders") + `,{"jsonrpc":"2.0","id":2,"method":"acme/forgotten"}]`, 400, -32601},
		"a very long URI of a template":    {without, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"orders://one/` + strings.Repeat("x", 9000) + `"}}`, 403, 0},
		"a method that is gone":            {func(h http.Header) { h.Set("Mcp-Method", "resources/subscribe"); h.Del("Mcp-Name") }, `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{` + meta + `}}`, 404, -32601},
		"a method and a name in one":       {without, strings.Replace(old, "tools/call", "tools/call list_orders", 1), 400, -32601},
		"a resource without a rule":        {without, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"orders://hidden"}}`, 403, 0},
		"a template and a way up":          {without, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"orders://one/.."}}`, 403, 0},
		"the same in escapes":              {without, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"orders://one/%2E%2e"}}`, 403, 0},
		"a template and a slash":           {without, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"orders://one/a%2Fb"}}`, 403, 0},
		"a template and a backslash":       {without, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"orders://one/a\\b"}}`, 403, 0},
		"two templates, one too many":      {without, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"orders://one/secret7"}}`, 403, 0},
		"a prompt without a rule":          {without, `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"other"}}`, 403, 0},
		"a completion of such a prompt":    {without, `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"other"},"argument":{"name":"a","value":"b"}}}`, 403, 0},
		"a completion of both":             {without, `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"summary","uri":"orders://hidden"},"argument":{"name":"a","value":"b"}}}`, 400, invalid},
		"a completion of nothing":          {without, `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"argument":{"name":"a","value":"b"}}}`, 400, invalid},
		"a subscription among others":      {func(h http.Header) { h.Set("Mcp-Method", "subscriptions/listen"); h.Del("Mcp-Name") }, `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["orders://all","orders://hidden"]},` + meta + `}}`, 403, 0},
		"very many subscriptions":          {func(h http.Header) { h.Set("Mcp-Method", "subscriptions/listen"); h.Del("Mcp-Name") }, `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["orders://all"` + strings.Repeat(`,"orders://all"`, 300) + `]},` + meta + `}}`, 400, invalid},
		"an old subscription":              {without, `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"orders://hidden"}}`, 403, 0},
		"very much":                        {without, strings.Replace(old, "delete_all", strings.Repeat("x", 5<<20), 1), 413, 0},
	} {
		for mode, stateless := range map[string]bool{"stateless": true, "with sessions": false} {
			t.Run(what+", "+mode, func(t *testing.T) {
				g := guard(t, stateless, nil)
				h, good := request(newest, "tools/call", map[string]any{"name": "list_orders"})
				tc.change(h)
				reached := false
				g.seen = func(*http.Request) { reached = true }
				res := g.ask("POST", g.token("orders:read"), h, tc.body)
				if got, _ := code(t, res); res.StatusCode != tc.status || got != tc.code {
					text, _ := io.ReadAll(res.Body)
					t.Errorf("%d, code %d, wanted %d, %d: %s", res.StatusCode, got, tc.status, tc.code, text)
				}
				if ran := g.took(); ran != nil || reached {
					t.Errorf("the server was reached: %v, %q ran", reached, ran)
				}
				e := g.last()
				if e.Kind != observe.Refused || e.Client.Text != "m2m-client" {
					t.Errorf("the observer was told %+v", e)
				}
				if text, _ := io.ReadAll(res.Body); bytes.Contains(text, []byte("forgotten")) || bytes.Contains(text, []byte("delete")) {
					t.Errorf("the answer holds a part of the request: %s", text)
				}
				h, _ = request(newest, "tools/call", map[string]any{"name": "list_orders"})
				if res := g.ask("POST", g.token("orders:read"), h, good); stateless && (res.StatusCode != 200 || len(g.took()) != 1) {
					t.Errorf("and the good call: %d", res.StatusCode)
				}
			})
		}
	}
}

// TestBodiesAreReadLate: chunked ones are as bounded as others, and nothing is read of one whose token is
// bad, or whose length says already that it is too much.
func TestBodiesAreReadLate(t *testing.T) {
	g := guard(t, true, func(_ *validator.Config, _ *mcpauth.Rules, cfg *mcpauth.Config) { cfg.MaxBody = 1000 })
	h, _ := request(oldest, "tools/call", map[string]any{"name": "list_orders"})
	good := g.token("orders:read")
	for name, tc := range map[string]struct {
		token  string
		length int64
		size   int
		status int
		read   int // at most
	}{
		"no token":                   {"", 100, 100, 401, 0},
		"a bad token":                {good[:len(good)-4] + "AAAA", 100, 100, 401, 0},
		"a length that is too much":  {good, 1001, 1001, 413, 0},
		"chunks that are too much":   {good, -1, 100_000, 413, 2000},
		"a body that is just enough": {good, -1, 1000, 200, 1001},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_orders","arguments":{"a":"`
			body += strings.Repeat("x", max(0, tc.size-len(body)-4)) + `"}}}`
			counted := &counting{Reader: strings.NewReader(body)}
			r := httptest.NewRequest("POST", public, counted)
			r.ContentLength = tc.length
			for name, values := range h {
				r.Header[name] = values
			}
			if tc.token != "" {
				r.Header.Set("Authorization", "Bearer "+tc.token)
			}
			w := httptest.NewRecorder()
			g.api.ServeHTTP(w, r)
			if w.Code != tc.status || counted.n > tc.read {
				t.Errorf("%d after %d bytes, wanted %d after %d at most: %s", w.Code, counted.n, tc.status, tc.read, w.Body)
			}
		})
	}
}

type counting struct {
	io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// TestOtherHTTPMethods: streams and the end of a session have no body, and nothing else
// is let through.
func TestOtherHTTPMethods(t *testing.T) {
	g := guard(t, false, nil)
	h := http.Header{"Accept": {"text/event-stream"}, "Mcp-Session-Id": {"x"}}
	good := g.token("")
	for _, tc := range []struct {
		method, token, body string
		status              int
	}{
		{"GET", "", "", 401}, {"DELETE", "", "", 401}, {"PUT", "", "", 401}, {"OPTIONS", "", "", 401},
		{"GET", good, "{}", 400}, {"DELETE", good, "{}", 400},
		{"PUT", good, "", 405}, {"PATCH", good, "{}", 405}, {"OPTIONS", good, "", 405}, {"HEAD", good, "", 405}, {"QUERY", good, "{}", 405}, {"post", good, "{}", 405},
		{"GET", good, "", 404}, {"DELETE", good, "", 404}, // by the SDK: there is no such session
	} {
		reached := false
		g.seen = func(*http.Request) { reached = true }
		res := g.ask(tc.method, tc.token, h, tc.body)
		if res.StatusCode != tc.status || reached != (tc.status == 404) || (res.Header.Get("Allow") != "") != (tc.status == 405) {
			t.Errorf("%s %q: %d %v, wanted %d; reached: %v", tc.method, tc.body, res.StatusCode, res.Header, tc.status, reached)
		}
	}
}

// TestGoodMessages of each revision pass, and what they name is what runs.
func TestGoodMessages(t *testing.T) {
	for name, tc := range map[string]struct {
		version, method string
		params          map[string]any
		scope           string
		ran             string
	}{
		"a tool":                               {newest, "tools/call", map[string]any{"name": "list_orders"}, "orders:read", "list_orders for m2m-client"},
		"a tool of the oldest":                 {oldest, "tools/call", map[string]any{"name": "list_orders"}, "orders:read", "list_orders for m2m-client"},
		"a tool that needs two":                {newest, "tools/call", map[string]any{"name": "delete_all"}, "orders:admin orders:write", "delete_all for m2m-client"},
		"a tool in base64":                     {newest, "tools/call", map[string]any{"name": "größe"}, "orders:read", "größe for m2m-client"},
		"members that are like others, deeper": {older, "tools/call", map[string]any{"name": "list_orders", "arguments": map[string]any{"name": "a", "Name": "b", "METHOD": "c"}}, "orders:read", "list_orders for m2m-client"},
		"a prompt":                             {older, "prompts/get", map[string]any{"name": "summary"}, "orders:read", "summary"},
		"a completion for it":                  {older, "completion/complete", map[string]any{"ref": map[string]any{"type": "ref/prompt", "name": "summary"}, "argument": map[string]any{"name": "a", "value": "b"}}, "orders:read", "completion"},
		"a completion for a template":          {newest, "completion/complete", map[string]any{"ref": map[string]any{"type": "ref/resource", "uri": "orders://one/{id}"}, "argument": map[string]any{"name": "a", "value": "b"}}, "orders:read", "completion"},
		"a resource":                           {newest, "resources/read", map[string]any{"uri": "orders://all"}, "orders:read", "read orders://all"},
		"one of a template":                    {newest, "resources/read", map[string]any{"uri": "orders://one/a.b%20c"}, "orders:read", "read orders://one/a.b%20c"},
		"one of two templates":                 {older, "resources/read", map[string]any{"uri": "orders://one/secret7"}, "orders:read orders:admin", "read orders://one/secret7"},
		"a method of the server's own":         {older, "acme/export", map[string]any{"Name": "x"}, "orders:admin", "acme/export"},
		"a list":                               {newest, "tools/list", nil, "", ""},
		"a list of the oldest":                 {oldest, "tools/list", nil, "", ""},
		"what the server can":                  {newest, "server/discover", nil, "", ""},
		"ping":                                 {older, "ping", nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, true, nil)
			h, body := request(tc.version, tc.method, tc.params)
			if tc.params["name"] == "größe" {
				h.Set("Mcp-Name", "=?base64?"+base64.StdEncoding.EncodeToString([]byte("größe"))+"?=")
			}
			res := g.ask("POST", g.token(tc.scope), h, body)
			text, _ := io.ReadAll(res.Body)
			ran := strings.Join(g.took(), ", ")
			if res.StatusCode != 200 || ran != tc.ran {
				t.Errorf("%d, %q ran, wanted %q: %s", res.StatusCode, ran, tc.ran, text)
			}
			if tc.scope == "" {
				return
			}
			res = g.ask("POST", g.token("other"), h, body)
			said := res.Header.Get("WWW-Authenticate")
			if res.StatusCode != 403 || g.took() != nil || !strings.Contains(said, `error="insufficient_scope"`) {
				t.Errorf("without the scope: %d %s", res.StatusCode, said)
			}
			for _, scope := range strings.Fields(tc.scope) {
				if !strings.Contains(said, scope) {
					t.Errorf("%s is not in the challenge: %s", scope, said)
				}
			}
		})
	}
}

// TestBatches of the revision that has them: each call needs its own scopes, and one
// challenge names those of all.
func TestBatches(t *testing.T) {
	g := guard(t, true, nil)
	h, list := request(oldest, "tools/call", map[string]any{"name": "list_orders"})
	_, del := request(oldest, "tools/call", map[string]any{"name": "delete_all"})
	body := "[" + list + "," + strings.Replace(del, `"id":1`, `"id":2`, 1) + `,{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}]`
	res := g.ask("POST", g.token("orders:write"), h, body)
	if said := res.Header.Get("WWW-Authenticate"); res.StatusCode != 403 || !strings.Contains(said, `scope="orders:read orders:admin orders:write"`) {
		t.Errorf("%d %s", res.StatusCode, said)
	}
	res = g.ask("POST", g.token("orders:write orders:read orders:admin"), h, body)
	if ran := g.took(); res.StatusCode != 200 || len(ran) != 2 {
		t.Errorf("%d, %q ran", res.StatusCode, ran)
	}
}

// TestBaseIsForAll: what each request needs, the rule of a tool does not replace.
func TestBaseIsForAll(t *testing.T) {
	g := guard(t, true, func(_ *validator.Config, r *mcpauth.Rules, _ *mcpauth.Config) {
		r.Base = new(scopes.All("mcp"))
		r.Methods["tools/call"] = scopes.All("tools")
		r.Methods["tools/list"] = scopes.All("lists")
	})
	for _, tc := range []struct {
		method, scope string
		params        map[string]any
		status        int
		needs         string
	}{
		{"ping", "other", nil, 403, `scope="mcp"`},
		{"ping", "mcp", nil, 200, ""},
		{"tools/list", "mcp", nil, 403, `scope="mcp lists"`},
		{"tools/list", "mcp lists", nil, 200, ""},
		{"tools/call", "orders:read", map[string]any{"name": "list_orders"}, 403, `scope="mcp`},
		{"tools/call", "mcp orders:read", map[string]any{"name": "list_orders"}, 403, `scope="mcp tools orders:read"`},
		{"tools/call", "mcp orders:read tools", map[string]any{"name": "list_orders"}, 200, ""},
	} {
		for _, version := range []string{oldest, newest} {
			if tc.method == "ping" && version == newest {
				continue // which has no ping
			}
			h, body := request(version, tc.method, tc.params)
			res := g.ask("POST", g.token(tc.scope), h, body)
			if said := res.Header.Get("WWW-Authenticate"); res.StatusCode != tc.status || !strings.Contains(said, tc.needs) {
				t.Errorf("%s with %q, %s: %d %s, wanted %d and %s", tc.method, tc.scope, version, res.StatusCode, said, tc.status, tc.needs)
			}
		}
	}
	res := g.ask("GET", g.token("other"), http.Header{"Accept": {"text/event-stream"}}, "")
	if res.StatusCode != 403 {
		t.Errorf("a stream: %d", res.StatusCode)
	}
}
