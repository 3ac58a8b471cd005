package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
)

// issuer looks at Issuers[n] through a validator of its own, so that what ails one
// issuer is not said of another.
func (e *examination) issuer(ctx context.Context, n int, iss validator.Issuer) {
	defer e.Waiting("asking " + iss.URL)()
	cfg := e.file.Config
	cfg.Revocations = nil                                                            // looked at apart
	cfg.Observer = observe.Observer{Event: func(context.Context, *observe.Event) {}} // the lines say it
	var recorders []*recorder
	if iss.Keys != nil || iss.Introspection == nil {
		var keys jwks.Config
		if iss.Keys != nil {
			keys = *iss.Keys
		}
		client, r := record(keys.HTTPClient, e.Now)
		keys.HTTPClient, iss.Keys, recorders = client, &keys, append(recorders, r)
	}
	if iss.Introspection != nil && iss.Introspection.Introspector == nil {
		asked := *iss.Introspection
		client, r := record(asked.HTTPClient, e.Now)
		asked.Shared = nil // looked at apart
		asked.HTTPClient, iss.Introspection, recorders = client, &asked, append(recorders, r)
	}
	cfg.Issuers = []validator.Issuer{iss}
	v, err := validator.New(cfg)
	if err != nil {
		e.note(Bad, iss.URL, "configuration", err.Error(), "mend the field that is named")
		return
	}
	defer v.Close()
	ready := v.Ready(ctx)
	if iss.Keys != nil {
		e.keys(n, iss, recorders[0], ready)
	} else if ready != nil { // of the keys of signed answers
		e.note(Bad, iss.URL, "key set", ready.Error(), keysDo)
	}
	if iss.Introspection != nil {
		_, err := v.Verify(ctx, madeUp(iss.OpaquePrefix))
		e.introspection(iss, err)
	}
	for _, r := range recorders {
		if e.clock(iss.URL, r) {
			break
		}
	}
}

const keysDo = "open the address that is named from this machine: name, route, proxy and certificate must be right, and url must be the issuer's own spelling"

// introspection judges what became of a text that is no token: an endpoint that knows
// these credentials calls it inactive.
func (e *examination) introspection(iss validator.Issuer, err error) {
	refusal, _ := errors.AsType[*validator.Error](err)
	where := iss.Introspection.Endpoint
	if where == "" {
		where = "the discovered endpoint"
	}
	switch {
	case err == nil:
		e.note(Bad, iss.URL, "introspection", where+" calls a made-up text an active token", "it must not be asked: whoever answers there answers yes to everything")
	case refusal != nil && refusal.Check() == validator.CheckActive:
		e.note(Good, iss.URL, "introspection", where+" takes the credentials, and calls a made-up text inactive", "")
	default:
		const do = "see introspection.auth (client id, and secret, key or certificate), introspection.endpoint, and whether this client may introspect at the issuer"
		e.note(Bad, iss.URL, "introspection", err.Error(), do)
	}
}

// clock compares the issuer's clock with ours by the latest answer that has a Date,
// which is whole seconds (RFC 9110 §6.6.1). It reports whether there was one.
func (e *examination) clock(issuer string, r *recorder) bool {
	skew := e.file.ClockSkew
	if skew == 0 {
		skew = validator.DefaultClockSkew
	}
	all := r.all()
	for i := len(all) - 1; i >= 0; i-- {
		x := all[i]
		if x.date.IsZero() {
			continue
		}
		ahead := x.date.Sub(x.middle)    // at least, give or take half the way
		slack := time.Second + x.took/2  // what cannot be known
		off := max(0, ahead.Abs()-slack) // that much at least
		found := fmt.Sprintf("%s by its Date, %v at most for clockSkew", offset(ahead, slack), skew)
		switch do := "set both clocks by NTP; clockSkew is for the seconds that remain"; {
		case off > skew:
			e.note(Bad, issuer, "clock", found, do)
		case off > skew/3:
			e.note(Doubtful, issuer, "clock", found, do)
		default:
			e.note(Good, issuer, "clock", found, "")
		}
		return true
	}
	return false
}

func offset(ahead, slack time.Duration) string {
	switch {
	case ahead.Abs() <= slack:
		return "the issuer's is the same"
	case ahead > 0:
		return fmt.Sprintf("the issuer's is %v ahead of ours", ahead.Round(time.Second))
	}
	return fmt.Sprintf("the issuer's is %v behind ours", (-ahead).Round(time.Second))
}

// isDocument reports whether a URL is that of an issuer's metadata.
func isDocument(url string) bool { return strings.Contains(url, "/.well-known/") }
