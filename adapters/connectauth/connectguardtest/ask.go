package connectguardtest

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// patience is how long a handler may say nothing that reads no message: it was reached
// then.
const patience = 2 * time.Second

// reply is how a procedure answered.
type reply struct {
	status int    // HTTP's
	code   string // of Connect's error; empty for none
	reason string // of the gate; empty if the handler was reached
	needs  string // the scopes that it names
}

// String is what a report calls it.
func (a reply) String() string {
	switch {
	case a.reason != "":
		return a.code + " (" + a.reason + ")"
	case a.code != "":
		return a.code
	}
	return fmt.Sprintf("HTTP %d", a.status)
}

// refused reports whether the gate answered, and not the handler.
func (a reply) refused() bool { return a.reason != "" }

// absent reports whether there is no handler.
func (a reply) absent() bool { return a.status == http.StatusNotFound && a.code == "" }

// noMessage is a body that has none: whoever reads it was reached.
type noMessage struct{}

func (noMessage) Read([]byte) (int, error) {
	return 0, errors.New("connectguardtest: there is no message")
}
func (noMessage) Close() error { return nil }

var _ io.ReadCloser = noMessage{}

// send calls a procedure with a token, or without one.
func (r *run) send(name, token string) (a reply) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, name, noMessage{})
	request.Proto, request.ProtoMajor, request.ProtoMinor = "HTTP/2.0", 2, 0 // for streams both ways
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Connect-Protocol-Version", "1")
	if r.streams[name] {
		request.Header.Set("Content-Type", "application/connect+json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }() // of the handler, which was reached
		r.handler.ServeHTTP(w, request)
	}()
	a.status = w.Code
	a.read(w.Body.Bytes(), r.streams[name])
	return a
}

// read finds the error in a body: the whole of it, or what ends a stream.
func (a *reply) read(body []byte, stream bool) {
	const head, last = 5, 2
	for stream && len(body) >= head {
		length := uint64(binary.BigEndian.Uint32(body[1:head]))
		flags := body[0]
		if body = body[head:]; flags == last || uint64(len(body)) < length {
			break
		}
		body = body[length:]
	}
	type failure struct {
		Code    string `json:"code"`
		Details []struct {
			Type  string `json:"type"`
			Value string `json:"value"`
		} `json:"details"`
	}
	var said struct {
		failure
		Error failure `json:"error"` // in a stream
	}
	if json.Unmarshal(body, &said) != nil {
		return
	}
	found := said.failure
	if stream {
		found = said.Error
	}
	a.code = found.Code
	for _, detail := range found.Details {
		var info errdetails.ErrorInfo
		value, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(detail.Value, "="))
		if err == nil && detail.Type == "google.rpc.ErrorInfo" && proto.Unmarshal(value, &info) == nil && info.GetDomain() == connectauth.Domain {
			a.reason, a.needs = info.GetReason(), info.GetMetadata()["scope"]
		}
	}
}

// compareRules sends good tokens whose scopes tell the test's rule from others. The
// scopes that a refusal asks for are tried, too.
func (r *run) compareRules(name string, rule scopes.Rule) {
	r.Helper()
	tried := make(map[string]bool)
	for sets := r.sets(rule); len(sets) > 0; sets = sets[1:] {
		set := sets[0]
		key := strings.Join(set, " ")
		if tried[key] {
			continue
		}
		tried[key] = true
		got := r.send(name, r.token(set))
		if !r.compare(name, rule, set, got) {
			return
		}
		if r.learn(got) {
			sets = append(sets, r.sets(rule)...)
		}
	}
}

// compare reports an answer that the rule would not have given.
func (r *run) compare(name string, rule scopes.Rule, set []string, got reply) bool {
	r.Helper()
	allowed := rule.Allows(granted(set))
	switch {
	case got.reason == "ACCESS_DENIED" && rule.Allows(granted(rule.Names())):
		r.Errorf("connectguardtest: %s answers %s to a good token: it has no rule, or the API's own policy says no, for which Claims can make tokens that it accepts", name, got)
	case got.refused() && got.reason != "INSUFFICIENT_SCOPE" && got.reason != "ACCESS_DENIED":
		r.Errorf("connectguardtest: %s answers %s to a good token: the app must trust the issuer and have the audience that it is given, and the procedure accept bearer tokens", name, got)
	case allowed && got.refused():
		r.Errorf("connectguardtest: %s refuses a token with the scopes %q, which satisfy the rule in the test's Rules: another rule, or none", name, set)
	case !allowed && !got.refused():
		r.Errorf("connectguardtest: %s answers %s to a token with the scopes %q, wanted permission_denied: another rule", name, got, set)
	default:
		return true
	}
	return false
}

// learn adds the scopes that a refusal asks for to those that are tried.
func (r *run) learn(got reply) (more bool) {
	for name := range strings.FieldsSeq(got.needs) {
		if !slices.Contains(r.universe, name) && scopes.Valid(name) {
			r.universe, more = append(slices.Clone(r.universe), name), true
		}
	}
	return more
}

// everySubset is of how many names every subset is tried.
const everySubset = 6

// sets are the scopes to try: what the rule lets in, alone, and what it refuses, with all
// others, because a rule lets no token in less for one scope more. Single scopes and all
// but one come first, because a report of those says more.
func (r *run) sets(rule scopes.Rule) (sets [][]string) {
	names := rule.Names()
	others := without(r.universe, names...)
	sets = [][]string{nil, strings.Fields(rule.Needs()), r.universe}
	for _, name := range r.universe {
		sets = append(sets, []string{name}, without(r.universe, name))
	}
	if len(names) <= everySubset {
		for bits := range 1 << len(names) {
			var set []string
			for n, name := range names {
				if bits>>n&1 == 1 {
					set = append(set, name)
				}
			}
			if !rule.Allows(granted(set)) {
				set = append(set, others...)
			}
			sets = append(sets, set)
		}
	}
	for n := range sets {
		sets[n] = slices.Sorted(slices.Values(sets[n]))
	}
	return sets
}

// without is a copy of names that lacks some.
func without(names []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(some, name) })
}

// granted is what a token with these scopes may do.
func granted(names []string) scopes.Set {
	set, err := scopes.Of(names...)
	if err != nil {
		panic(fmt.Sprintf("connectguardtest: %v", err)) // they come from rules, which hold none but valid ones
	}
	return set
}

// with are the claims of a token with these scopes.
func (r *run) with(names []string) issuertest.Claims {
	c := r.claims
	c.Scope = strings.Join(names, " ")
	return c
}

// token is a good token with these scopes.
func (r *run) token(names []string) string {
	key := strings.Join(names, " ")
	if r.tokens[key] == "" {
		r.tokens[key] = r.iss.Token(r.with(names))
	}
	return r.tokens[key]
}
