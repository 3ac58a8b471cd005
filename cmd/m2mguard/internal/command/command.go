// Package command is the program's commands: flags, exit codes, and how what was found
// is written.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
)

// The exit codes.
const (
	exitGood  = 0
	exitBad   = 1 // what was looked at is bad, or an issuer or API refused
	exitWrong = 2 // the command line or the file is wrong, so that nothing was judged
	// exitUnconfirmed is of an entry that stands in Redis, while not everybody, or nobody
	// else, said that it counts there.
	exitUnconfirmed = 3
)

// failure is an error with the exit code that it ends the program with. Its text is
// ours, and shows no argument but names of files.
type failure struct {
	code int
	err  error
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// Surroundings are what the program has of the process that it runs in.
type Surroundings struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
}

// program is what the commands share.
type program struct {
	Surroundings
	out, err *term.Screen
	file     string
	timeout  time.Duration
}

// defaultFile is read where --config and M2MGUARD_CONFIG name none.
const defaultFile = "m2mguard.yaml"

// Run runs the program with these arguments and returns its exit code.
func Run(ctx context.Context, args []string, s Surroundings) int {
	p := &program{Surroundings: s, out: term.New(s.Out, s.Getenv), err: term.New(s.Err, s.Getenv)}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitGood
	}
	f, ours := errors.AsType[failure](err)
	if !ours {
		p.err.Printf("m2mguard: %s\nsee: %s --help\n", withoutArguments(err.Error(), args), ran.CommandPath())
		return exitWrong
	}
	if f.err != nil {
		for _, err := range joined(f.err) {
			p.err.Printf("m2mguard: %s\n", term.Clean(strings.TrimSpace(withoutTokens(err.Error(), args))))
		}
	}
	return f.code
}

// joined are the errors that were joined in err, each to be told in a line: one that has
// lines of its own may have them of somebody else.
func joined(err error) (all []error) {
	several, ok := err.(interface{ Unwrap() []error })
	if _, said := err.(failure); said {
		return joined(errors.Unwrap(err))
	}
	if _, worded := err.(fmt.Formatter); !ok || worded {
		return []error{err}
	}
	for _, one := range several.Unwrap() {
		all = append(all, joined(one)...)
	}
	return all
}

// longest is how long an argument may be that a usage error shows: a word that was
// mistyped is shorter, and a token longer.
const longest = 20

// withoutArguments is the text of a usage error without what may be a token that
// somebody gave as an argument.
func withoutArguments(text string, args []string) string {
	for _, arg := range args {
		for _, part := range tails(arg) {
			if len(part) > longest {
				text = strings.ReplaceAll(text, part, "[an argument]")
			}
		}
	}
	return term.Clean(text)
}

// tails are an argument and what may be a flag's value in it: -cVALUE, --config=VALUE.
func tails(arg string) []string {
	all := []string{arg}
	if _, value, ok := strings.Cut(arg, "="); ok {
		all = append(all, value)
	}
	if len(arg) > 2 && arg[0] == '-' {
		all = append(all, arg[1:], arg[2:])
	}
	return all
}

// withoutTokens is an error of ours without arguments that look like a token, which
// somebody gave for the name of a file: a long word that is no path, and ends as no file.
func withoutTokens(text string, args []string) string {
	for _, arg := range args {
		for _, part := range tails(arg) {
			if looksLikeToken(part) {
				text = strings.ReplaceAll(text, part, "[an argument]")
			}
		}
	}
	return text
}

func looksLikeToken(part string) bool {
	const shortest, extension = 30, 5
	end := part[strings.LastIndexByte(part, '.')+1:]
	named := len(end) < len(part) && len(end) <= extension || strings.HasPrefix(part, "/") || strings.HasPrefix(part, ".")
	return len(part) >= shortest && !named && !strings.ContainsAny(part, ": \\")
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "m2mguard",
		Short: "See why an API that is guarded by m2mguard answers as it does",
		Long: `See why an API that is guarded by m2mguard answers as it does.

The file says what validator.Config says in Go, in YAML: a key is the field's name with
a small first letter. Secrets come from the environment or from files.

  issuers:
    - provider:
        keycloak: {baseURL: https://id.example.com, realm: shop, audience: orders}
  api:
    publicURL: [https://api.example.com]
    probe: /orders

Exit codes: 0 good; 1 bad, or refused by the issuer or the API; 2 the command line or
the file is wrong; 3 a revocation that not everybody confirmed. No command writes a token, unless "token --print" asks for it.`,
		Example: `  m2mguard doctor                          look at everything that m2mguard.yaml names
  m2mguard explain < token.txt             say what is wrong with a token
  m2mguard token --call https://api.example.com/orders
  m2mguard revoke --client orders-batch    have every instance refuse a client's tokens
  m2mguard revocations                     see what is revoked, and which instances are up
  m2mguard schema > m2mguard.schema.json   so that an editor completes the file`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVarP(&p.file, "config", "c", "", "the file; default $M2MGUARD_CONFIG, else "+defaultFile)
	root.PersistentFlags().DurationVar(&p.timeout, "timeout", 30*time.Second, "how long the whole may take")
	root.AddCommand(p.explain(), p.doctor(), p.token(), p.revoke(), p.revocations(), p.serve(), p.routes(), p.schema())
	return root
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// named is the file that is to be read.
func (p *program) named() string {
	for _, name := range []string{p.file, p.Getenv("M2MGUARD_CONFIG")} {
		if name != "" {
			return name
		}
	}
	return defaultFile
}

// read reads the file, but for the secrets of sections that the command has nothing to do
// with: who looks at a token needs no secret of a client's. Each fault is told with the
// file's name.
func (p *program) read(leave ...string) (*config.File, error) {
	return p.readFor(func(*config.File) error { return nil }, leave...)
}

// readFor is read for a command that also finds faults.
func (p *program) readFor(also func(*config.File) error, leave ...string) (*config.File, error) {
	name := p.named()
	r, err := os.Open(name)
	if err != nil {
		return nil, failure{exitWrong, err}
	}
	defer r.Close()
	f, err := config.ReadFor(r, also, leave...)
	if err != nil {
		return nil, p.inFile(err)
	}
	return f, nil
}

// inFile has each fault begin with the file's name.
func (p *program) inFile(err error) error {
	var told []error
	for line := range strings.Lines(err.Error()) {
		told = append(told, fmt.Errorf("%s: %s", p.named(), strings.TrimSpace(line)))
	}
	return failure{exitWrong, errors.Join(told...)}
}
