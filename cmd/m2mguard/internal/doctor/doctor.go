// Package doctor looks at a configuration from where the API will stand: whether its
// issuers can be reached and believed, and whether the API is seen from outside as it
// is configured. It uses the library itself, so what it finds is what the API would
// meet. It holds no token: where one must be shown, it shows a text that is none.
package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
)

// Verdict is what is thought of one thing.
type Verdict string

// The verdicts. Doubtful works, but perhaps not as somebody meant it.
const (
	Good     Verdict = "good"
	Doubtful Verdict = "doubtful"
	Bad      Verdict = "bad"
)

// Line is one thing that was looked at.
type Line struct {
	Verdict Verdict `json:"verdict"`
	// About is an issuer's URL, or "configuration", "revocations", "fleet" with its name, or the API's URL.
	About string `json:"about"`
	// What was looked at, and what was found.
	What  string `json:"what"`
	Found string `json:"found"`
	// Do is what to do about it; empty where it is good.
	Do string `json:"do,omitempty"`
}

// Options say how to look.
type Options struct {
	// Waiting is told what is being waited for, and called back when that ended.
	Waiting func(what string) (end func())
	// Now is the clock that the issuers' are held against. Default time.Now.
	Now func() time.Time
}

// Examine looks at everything that f names, one after the other. It ends with ctx, and
// what could not be asked by then is bad.
func Examine(ctx context.Context, f *config.File, o Options) []Line {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Waiting == nil {
		o.Waiting = func(string) func() { return func() {} }
	}
	e := &examination{file: f, Options: o}
	e.configuration()
	for n, iss := range f.Config.Issuers {
		e.issuer(ctx, n, iss)
	}
	answers := e.redis(ctx)
	e.revocations(ctx, answers)
	if answers {
		e.instances(ctx)
	}
	for n, base := range f.API.PublicURL {
		base = strings.TrimSuffix(base, "/")
		if isBase(base) {
			e.api(ctx, base)
			continue
		}
		do := fmt.Errorf("api.publicURL[%d] must be scheme and host alone, such as https://api.example.com", n)
		e.note(Bad, "configuration", "public URL", "is not scheme and host alone, and not shown, because it may hold a password", f.Locate(do).Error())
	}
	return e.lines
}

// Worst is the worst verdict of all.
func Worst(lines []Line) Verdict {
	worst := Good
	for _, l := range lines {
		if l.Verdict == Bad || worst == Good {
			worst = l.Verdict
		}
		if worst == Bad {
			break
		}
	}
	return worst
}

type examination struct {
	Options
	file  *config.File
	lines []Line
}

func (e *examination) note(v Verdict, about, what, found, do string) {
	if v == Good {
		do = ""
	}
	e.lines = append(e.lines, Line{v, about, what, found, do})
}

// configuration looks at what needs nobody's answer.
func (e *examination) configuration() {
	const about = "configuration"
	e.note(Good, about, "file", fmt.Sprintf("can be used, issuers: %d", len(e.file.Config.Issuers)), "")
	for _, d := range e.file.Dangers() {
		e.note(Doubtful, about, "opt-out", fmt.Sprintf("%s is set (%s)", d.Path, d.Field), fmt.Sprintf("read what is lost in the field's comment (go doc %s), and leave it out if you can", d.Field))
	}
	api := e.file.API
	if e.file.DPoP != nil && len(api.PublicURL) == 0 {
		e.note(Bad, about, "dpop", "proofs of possession are for a URL, and api.publicURL is empty", "set api.publicURL here, and httpauth.Config.PublicURL in the API")
	}
	if field := api.ClientCertificate; field != nil {
		e.proxyField(field)
	} else {
		e.note(Good, about, "proxy headers", "none is believed about clients' certificates (api.clientCertificate)", "")
	}
}

// revocations waits for the list to be filled for the first time.
func (e *examination) revocations(ctx context.Context, redisAnswers bool) {
	if e.file.Revocations == nil {
		return
	}
	about, do := "revocations", "see whether the file that revocations.file names is there and can be read (docs/revocation.md has its form)"
	if e.file.FollowsFleet() {
		about = aboutFleet(e.file.Fleet)
		if do = "see the lines before this one"; !redisAnswers {
			e.note(Bad, about, "list", "is not filled: Redis does not answer", do)
			return
		}
		e.file.Follow()
		for _, iss := range e.file.Config.Issuers {
			e.file.Revocations.Serves(iss.URL, 0)
		}
	}
	defer e.Waiting("reading the list of revocations")()
	began := time.Now()
	if err := e.file.WaitForRevocations(ctx); err != nil {
		e.note(Bad, about, "list", err.Error(), do)
		return
	}
	s := e.file.Revocations.Stats()
	found := fmt.Sprintf("is filled after %d ms, and complete as of %d ms ago; entries: %d", time.Since(began).Milliseconds(), s.Age.Milliseconds(), s.Entries)
	if s.Foreign > 0 {
		e.note(Doubtful, about, "list", fmt.Sprintf("%s, of which %d are about issuers that the file does not have", found, s.Foreign), "they count for nothing here: another API's, or an issuer that is misspelt")
		return
	}
	e.note(Good, about, "list", found, "")
}

// madeUp is a text that is no token of anybody's, and says in the issuer's log whose it is.
func madeUp(prefixes []string) string {
	prefix := ""
	if len(prefixes) > 0 {
		prefix = slices.Min(prefixes)
	}
	return prefix + "m2mguard-doctor-" + rand.Text()
}
