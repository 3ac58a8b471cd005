package grpcguardtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// patience is how long a handler may say nothing: one that streams may wait for more, and
// was reached then.
const patience = 2 * time.Second

// raw sends messages as they are: an empty one is a message of every type.
type raw struct{}

var _ encoding.Codec = raw{}

func (raw) Marshal(any) ([]byte, error) { return nil, nil }
func (raw) Unmarshal([]byte, any) error { return nil }
func (raw) Name() string                { return "proto" } // which the server has

// reply is how a method answered.
type reply struct {
	code   codes.Code
	reason string // of the gate; empty if the handler ran
	needs  string // the scopes that it names
}

// String is what a report calls it.
func (a reply) String() string {
	if a.reason != "" {
		return a.code.String() + " (" + a.reason + ")"
	}
	return a.code.String()
}

// refused reports whether the gate answered, and not the handler.
func (a reply) refused() bool { return a.reason != "" }

func (a reply) unimplemented() bool { return a.code == codes.Unimplemented && a.reason == "" }

// send calls a method of whatever kind with a token, or without one.
func (r *run) send(name, token string) (a reply) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	stream, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, name)
	if err == nil {
		_ = stream.SendMsg(nil) // the server may have answered already
		_ = stream.CloseSend()
		if err = stream.RecvMsg(nil); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	st := status.Convert(err)
	a.code = st.Code()
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.Domain == grpcauth.Domain {
			a.reason, a.needs = info.Reason, info.Metadata["scope"]
		}
	}
	return a
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
		r.Errorf("grpcguardtest: %s answers %s to a good token: it has no rule, or the API's own policy says no, for which Claims can make tokens that it accepts", name, got)
	case got.refused() && got.reason != "INSUFFICIENT_SCOPE" && got.reason != "ACCESS_DENIED":
		r.Errorf("grpcguardtest: %s answers %s to a good token: the app must trust the issuer and have the audience that it is given, and the method accept bearer tokens", name, got)
	case allowed && got.refused():
		r.Errorf("grpcguardtest: %s refuses a token with the scopes %q, which satisfy the rule in the test's Rules: another rule, or none", name, set)
	case !allowed && !got.refused():
		r.Errorf("grpcguardtest: %s answers %s to a token with the scopes %q, wanted PERMISSION_DENIED: another rule", name, got, set)
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
		panic(fmt.Sprintf("grpcguardtest: %v", err)) // they come from rules, which hold none but valid ones
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
