package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
)

// targetFlags say whose tokens are meant.
type targetFlags struct {
	issuer                          string
	client, subject, tokenID, keyID string
	opaque, anyIssuer               bool
}

func (f *targetFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.client, "client", "", "the tokens of the client with this `ID`")
	flags.StringVar(&f.subject, "subject", "", "the tokens of this `SUB`")
	flags.StringVar(&f.tokenID, "token-id", "", "the token with this `JTI`")
	flags.StringVar(&f.keyID, "key-id", "", "the tokens that the key with this `KID` has signed")
	flags.BoolVar(&f.opaque, "opaque", false, "one opaque token, from FILE or standard input, and never from the command line")
	flags.StringVar(&f.issuer, "issuer", "", "whose tokens those are, as `URL` of one of the file's issuers; alone: all of its tokens")
	flags.BoolVar(&f.anyIssuer, "any-issuer", false, "take an --issuer that the file does not have, such as one that a Resolver finds")
}

// namedTarget is a target by its flag.
type namedTarget struct {
	flag, id string
	of       func(issuer, id string) revocation.Target
}

// named is all of them but opaque.
func (f *targetFlags) named() []namedTarget {
	return []namedTarget{
		{"client", f.client, revocation.Client}, {"subject", f.subject, revocation.Subject},
		{"token-id", f.tokenID, revocation.TokenID}, {"key-id", f.keyID, revocation.KeyID},
	}
}

// target is the one that the flags name. No error quotes a value: somebody may have given
// a token.
func (p *program) target(file *config.File, f *targetFlags, flags *pflag.FlagSet, args []string) (t revocation.Target, err error) {
	var faults []error
	fault := func(format string, values ...any) { faults = append(faults, fmt.Errorf(format, values...)) }
	issuer, chosen := f.issuer, 0
	issuers := file.Config.Issuers
	known := slices.ContainsFunc(issuers, func(iss validator.Issuer) bool { return iss.URL == issuer })
	switch {
	case isJWT(issuer):
		fault("--issuer is a token: wanted a URL; and what stands on a command line, others have seen")
	case issuer == "" && len(issuers) == 1:
		issuer = issuers[0].URL
	case issuer == "":
		fault("--issuer is missing: the file has %d issuers, wanted the url of one", len(issuers))
	case !known && !f.anyIssuer:
		fault("--issuer is none of the file's issuers, byte for byte, and would match nothing: wanted the url of one, or --any-issuer beside it")
	}
	t = revocation.Issuer(issuer)
	for _, n := range f.named() {
		if !flags.Changed(n.flag) {
			continue
		}
		chosen++
		switch {
		case n.id == "":
			fault("--%s is empty", n.flag)
		case isJWT(n.id):
			fault("--%s is a token: wanted an id; and what stands on a command line, others have seen", n.flag)
		}
		t = n.of(issuer, n.id)
	}
	if f.opaque {
		chosen++
	}
	switch {
	case chosen > 1:
		fault("wanted one of --client, --subject, --token-id, --key-id and --opaque")
	case chosen == 0 && f.issuer == "":
		fault("wanted one of --client, --subject, --token-id, --key-id and --opaque, or --issuer for all of an issuer's tokens")
	case !f.opaque && len(args) > 0:
		fault("FILE is for --opaque")
	}
	if faults == nil && f.opaque {
		text, err := p.given(args)
		switch {
		case err != nil:
			fault("%w", err)
		case text == "":
			fault("the token is empty")
		case isJWT(text):
			fault("the token is a JWT, which is not known by its text: wanted --token-id with the jti that its payload, the second part, holds, or --client")
		}
		t = file.Fleet.OpaqueToken(issuer, text)
	}
	return t, errors.Join(faults...)
}

// isJWT reports whether a text looks like a JWT, signed or encrypted.
func isJWT(text string) bool {
	dots := strings.Count(text, ".")
	return strings.HasPrefix(text, "eyJ") && (dots == 2 || dots == 4)
}

// confirmed asks whether a whole issuer is meant, where somebody sits there.
func (p *program) confirmed(issuer string) error {
	const want = "all tokens of an issuer are meant"
	if !p.err.Prompt(p.In, fmt.Sprintf("No token of %s will be accepted any more. Type its URL to go on: ", term.Clean(issuer))) {
		return failure{exitWrong, errors.New(want + ": wanted --everything")}
	}
	line, _ := bufio.NewReader(p.In).ReadString('\n') // its end is an answer, too
	if strings.TrimSpace(line) != issuer {
		return failure{exitWrong, errors.New(want + ", and that was not confirmed: nothing was revoked")}
	}
	return nil
}

// shared reads a file that has a fleet.
func (p *program) shared() (*config.File, error) {
	file, err := p.read("api", "client", "dpop", "issuers", "revocations", "serve")
	if err != nil {
		return nil, err
	}
	if file.Fleet == nil {
		file.Close()
		return nil, failure{exitWrong, fmt.Errorf("%s has no fleet, by which instances learn what is revoked: wanted the key fleet with url, name and secrets (a list that a file fills is changed in that file)", p.named())}
	}
	return file, nil
}

// firstReading is how long Redis may take to be read.
const firstReading = 10 * time.Second

// filled waits until the list was read from Redis. The error says what failed meanwhile.
func filled(ctx context.Context, shared *config.Fleet) (*revocation.List, error) {
	ctx, cancel := context.WithTimeout(ctx, firstReading)
	defer cancel()
	list := shared.Revocations()
	for {
		changed := list.Changed()
		if list.Stats().Loaded {
			return list, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			faults := []error{errors.New("what is revoked could not be read from Redis in time (fleet.url, or --timeout); m2mguard doctor looks closer")}
			for _, text := range shared.Told() {
				faults = append(faults, errors.New(text))
			}
			return nil, errors.Join(faults...)
		}
	}
}

// held are the entries of a list about a target.
func held(list *revocation.List, t revocation.Target) (found []revocation.Record, err error) {
	like, err := list.Record(revocation.Block(t), 1)
	if err != nil {
		return nil, err
	}
	for r := range list.Records() {
		if r.Kind == like.Kind && r.Key == like.Key && !r.Lift {
			found = append(found, r)
		}
	}
	return found, nil
}
