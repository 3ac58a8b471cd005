package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// explainFlags are what else is known of the request.
type explainFlags struct {
	json, offline, web        bool
	keys, issuer, at          string
	scopes, audience          []string
	proof, certificate        string
	scheme, method, targetURL string
}

func (p *program) explain() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain [FILE]",
		Short: "Say which check a token fails, what was wanted, and what mends it",
		Long: `Say which check a token fails, what was found, what was wanted and which field mends it:
every check of the API in its order, also those behind the first that fails. The token
comes from standard input or a file, never from the command line, where others see it.
Nothing is accepted or remembered, and the token's text is not written.

Keys are fetched, and the issuer is asked where the file says so, unless --offline is
given; --keys takes the keys from a file. --at looks at the token as of another time.

--web is the same on a page, which only a browser on this machine can open, at the
address that is printed. Tokens are pasted there; none is stored, or is in an address.

Exit codes: 0 the API would let the request in; 1 it would not, or that cannot be
decided; 2 the command line or the file is wrong.`,
		Example: `  m2mguard explain < token.txt
  m2mguard token --print | m2mguard explain --scope orders:read
  m2mguard explain token.txt --offline --keys jwks.json --at 2026-11-26T09:00:00Z
  m2mguard explain token.txt --scheme DPoP --proof proof.txt --request POST \
      --url https://api.example.com/orders
  m2mguard explain --web
  m2mguard explain token.txt --json | jq '.steps[] | select(.outcome == "failed")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.web {
				return p.explainOnPage(cmd.Context(), &f, cmd.Flags(), args)
			}
			return p.explainToken(cmd.Context(), &f, args)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.web, "web", false, "show a page on this machine in which tokens are pasted, until Ctrl-C")
	flags.BoolVar(&f.json, "json", false, "write JSON: accepted, proven, issuer and steps")
	flags.BoolVar(&f.offline, "offline", false, "ask nobody")
	flags.StringVar(&f.keys, "keys", "", "take the issuer's keys from this `FILE`: a JSON Web Key Set, or PEM")
	flags.StringVar(&f.issuer, "issuer", "", "whose keys those are, where the file has several issuers")
	flags.StringVar(&f.at, "at", "", "look at the token as of this `TIME`, such as 2026-11-26T09:00:00Z")
	flags.StringArrayVar(&f.scopes, "scope", nil, "a scope that the route needs; may be repeated")
	flags.StringArrayVar(&f.audience, "audience", nil, "an audience that the route narrows the issuer's to; may be repeated")
	flags.StringVar(&f.scheme, "scheme", "Bearer", "the scheme that the token was sent with: Bearer or DPoP")
	flags.StringVar(&f.proof, "proof", "", "`FILE` with the proof of possession that came with it (RFC 9449)")
	flags.StringVar(&f.certificate, "certificate", "", "`FILE` with the client's certificate in PEM (RFC 8705)")
	flags.StringVarP(&f.method, "request", "X", "GET", "the method of the request")
	flags.StringVar(&f.targetURL, "url", "", "the public URL of the request, for its proof")
	return cmd
}

func (p *program) explainToken(ctx context.Context, f *explainFlags, args []string) error {
	file, err := p.read(f.leave()...)
	if err != nil {
		return err
	}
	defer file.Close()
	request, options, err := f.parse()
	if err == nil {
		err = f.fix(file)
	}
	if err == nil {
		request.Token, err = p.given(args)
	}
	if err == nil && request.Token == "" {
		err = errors.New("the token is empty: did what was to write it fail?")
	}
	if err != nil {
		return failure{exitWrong, err}
	}
	file.Observer = observe.Observer{Event: func(context.Context, *observe.Event) {}} // the steps say it all
	if !f.offline {
		file.Follow()
	}
	v, err := validator.New(file.Config)
	if err != nil {
		return failure{exitWrong, err}
	}
	defer v.Close()
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	end := p.err.Waiting("asking the issuer")
	e := explained(ctx, file, v, request, options)
	end()
	if f.json {
		encoder := json.NewEncoder(p.Out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(e); err != nil {
			return failure{exitWrong, err}
		}
	} else {
		p.steps(e)
	}
	if !e.Accepted {
		return failure{exitBad, nil}
	}
	return nil
}

// leave are the sections of the file whose secrets are not needed.
func (f *explainFlags) leave() []string {
	all := []string{"api", "client", "serve"}
	if f.offline {
		all = append(all, "issuers") // for introspection alone
	}
	if f.offline && f.proof == "" && !f.web {
		all = append(all, "fleet") // its secrets open the nonces of proofs, too
	}
	return all
}

// explained is the library's explanation, once the list of revocations was read, with
// the program's own names for what it was told by flags. Where the list could not be read,
// no token is called good because nothing is known of it, as it is by AskIssuerAtStart
// and DangerouslyServeAtStart: the API, which has read the list, may refuse it.
func explained(ctx context.Context, file *config.File, v *validator.Validator, r *validator.Request, o validator.ExplainOptions) validator.Explanation {
	var unread error
	if file.Revocations != nil {
		within, cancel := ctx, context.CancelFunc(func() {})
		if end, bounded := ctx.Deadline(); bounded { // and the checks need time, too
			within, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		}
		unread = file.WaitForRevocations(within)
		cancel()
	}
	e := v.Explain(ctx, r, o)
	known := unread == nil || file.Revocations.Stats().Loaded
	for i := range e.Steps {
		s := &e.Steps[i]
		s.NotReached = strings.ReplaceAll(s.NotReached, "ExplainOptions.Network is not set", "--offline is set")
		if known || !slices.Contains([]string{"revocation", "revocation list"}, s.Name) || s.NotReached != "" || s.Err != nil && s.Check == validator.CheckRevoked {
			continue
		}
		s.NotReached, s.Err, s.Check, s.Found, s.Wanted, s.Fix = unread.Error(), nil, validator.CheckRevoked, "", "", ""
		e.Accepted = false
	}
	return e
}

// parse reads what the flags say of the request and its route.
func (f *explainFlags) parse() (*validator.Request, validator.ExplainOptions, error) {
	r := &validator.Request{Scheme: f.scheme, Method: f.method, URL: f.targetURL}
	o := validator.ExplainOptions{Network: !f.offline}
	var faults []error
	if f.at != "" {
		var err error
		if o.At, err = time.Parse(time.RFC3339, f.at); err != nil {
			faults = append(faults, errors.New("--at: wanted a time such as 2026-11-26T09:00:00Z (RFC 3339)"))
		}
	}
	if len(f.scopes) > 0 {
		for _, scope := range f.scopes {
			if scope == "" || strings.ContainsFunc(scope, noScope) {
				faults = append(faults, errors.New("--scope: wanted one scope each time, of printable ASCII without blanks, quotes and backslashes (RFC 6749 §3.3)"))
			}
		}
		if faults == nil {
			rule := scopes.All(f.scopes...)
			o.Rule = &rule
		}
	}
	if len(f.audience) > 0 {
		o.Demand = &validator.Demand{Audience: f.audience}
	}
	if f.proof != "" {
		text, err := readText(f.proof)
		if err != nil {
			faults = append(faults, fmt.Errorf("--proof: %w", err))
		}
		r.Proofs = []string{text}
	}
	if f.certificate != "" {
		der, err := certificate(f.certificate)
		if err != nil {
			faults = append(faults, fmt.Errorf("--certificate: %w", err))
		}
		r.Certificate = der
	}
	return r, o, errors.Join(faults...)
}

func noScope(letter rune) bool {
	return letter < '!' || letter > '~' || letter == '"' || letter == '\\'
}

// fix has an issuer's keys come from a file.
func (f *explainFlags) fix(file *config.File) error {
	if f.keys == "" {
		if f.issuer != "" {
			return errors.New("--issuer says whose keys --keys are, which is not there")
		}
		return nil
	}
	text, err := os.ReadFile(f.keys)
	if err != nil {
		return fmt.Errorf("--keys: cannot be read: %w", config.WithoutName(err))
	}
	issuers := file.Config.Issuers
	i := slices.IndexFunc(issuers, func(iss validator.Issuer) bool {
		return iss.URL == f.issuer || f.issuer == "" && len(issuers) == 1
	})
	if i < 0 {
		return errors.New("--keys is for one issuer of the file: wanted its url as --issuer")
	}
	keys := jwks.Config{Set: text}
	if before := issuers[i].Keys; before != nil {
		keys.Algorithms, keys.Use = before.Algorithms, before.Use
	}
	issuers[i].Keys = &keys
	return nil
}

// maxToken bounds what is read of a token, in bytes: more than Config.MaxTokenBytes can
// be, so that the check of its size can be seen to fail.
const maxToken = 2 << 20

// given reads the token.
func (p *program) given(args []string) (string, error) {
	if len(args) > 0 {
		text, err := readText(args[0])
		if err != nil {
			return "", fmt.Errorf("the token's file: %w", err)
		}
		return text, nil
	}
	p.err.Prompt(p.In, "paste the token, then end the input with Ctrl-D\n")
	text, err := io.ReadAll(io.LimitReader(p.In, maxToken))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	return bareToken(string(text)), nil
}

// readText reads a token or a proof. Its error is without the name, in whose place
// somebody may have given the token itself.
func readText(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w (a file is wanted, or standard input; never the text itself)", config.WithoutName(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxToken))
	if err != nil {
		return "", errors.New("cannot be read")
	}
	return bareToken(string(text)), nil
}

// bareToken is a token without the line break of a file, and without the field that it
// may have been copied with.
func bareToken(text string) string {
	text = strings.TrimSpace(text)
	for _, before := range []string{"authorization:", "bearer ", "dpop ", "dpop:"} {
		if len(text) > len(before) && strings.EqualFold(text[:len(before)], before) {
			text = strings.TrimSpace(text[len(before):])
		}
	}
	return text
}

func certificate(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", config.WithoutName(err))
	}
	return pemCertificate(text)
}

var outcomes = map[string]term.Colour{"passed": term.Green, "failed": term.Red, "not reached": term.Yellow}

// steps writes an explanation for people.
func (p *program) steps(e validator.Explanation) {
	verdict, _, _ := strings.Cut(e.String(), "\n")
	colour := term.Red
	if e.Accepted {
		colour = term.Green
	} else if _, failed := e.Failed(); !failed {
		colour = term.Yellow
	}
	p.out.Printf("%s", p.out.Paint(colour, term.Clean(verdict)))
	if e.Issuer != "" {
		p.out.Printf(", by issuer %s", term.Clean(e.Issuer))
	}
	if !e.Proven {
		p.out.Printf("; nothing proves what the token says")
	}
	p.out.Printf("\n")
	const widest = len("not reached")
	for _, s := range e.Steps {
		outcome := s.Outcome()
		p.out.Printf("  %s%*s  %-18s %s\n", p.out.Paint(outcomes[outcome], outcome), widest-len(outcome), "", term.Clean(s.Name), term.Clean(said(s)))
		for _, part := range []struct{ name, text string }{{"wanted", s.Wanted}, {"→", s.Fix}} {
			if s.Err != nil && part.text != "" {
				p.out.Printf("  %*s  %-18s %s %s\n", widest, "", "", part.name, term.Clean(part.text))
			}
		}
	}
}

func said(s validator.Step) string {
	if s.NotReached != "" {
		return s.NotReached
	}
	return s.Found
}
