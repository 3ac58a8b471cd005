package command

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/doctor"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
)

func (p *program) doctor() *cobra.Command {
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether all that the API needs is there, and say what to do",
		Long: `Look whether all that the API needs is there: each issuer's discovery, its key set and
every key in it, its clock, the credentials for introspection, and the API as it is seen
from outside: public URL, metadata, a protected route, what proxies do. Of a fleet: whether
Redis answers, how fast, to which rights and with which settings, its clock, the list of
revocations, which instances are up, and whether their secrets are the file's.

Each line is good, doubtful or bad, and says what to do. Run it where the API runs, with
the same file: as a start-up probe it exits with 1 if a line is bad, and with 0 if none is.
Where a token must be shown, it shows a made-up text, which the issuer's log may tell of.
In Redis it tries each command on keys of its own, which go after 10 s.`,
		Example: `  m2mguard doctor
  m2mguard doctor --config /etc/orders/m2mguard.yaml --strict
  m2mguard doctor --json | jq '.[] | select(.verdict != "good")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := p.read("client", "serve")
			if err != nil {
				return err
			}
			defer f.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), p.timeout)
			defer cancel()
			lines := doctor.Examine(ctx, f, doctor.Options{Waiting: p.err.Waiting})
			if asJSON {
				encoder := json.NewEncoder(p.Out)
				encoder.SetIndent("", "  ")
				if err := encoder.Encode(lines); err != nil {
					return failure{exitWrong, err}
				}
			} else {
				p.table(lines)
			}
			worst := doctor.Worst(lines)
			if worst == doctor.Bad || strict && worst == doctor.Doubtful {
				return failure{exitBad, nil}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON: a list of objects with verdict, about, what, found and do")
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with 1 for doubtful lines, too")
	return cmd
}

var colours = map[doctor.Verdict]term.Colour{doctor.Good: term.Green, doctor.Doubtful: term.Yellow, doctor.Bad: term.Red}

// table writes lines under what they are about.
func (p *program) table(lines []doctor.Line) {
	const widest = len(doctor.Doubtful)
	about := ""
	for _, l := range lines {
		if l.About != about {
			about = l.About
			p.out.Printf("%s\n", term.Clean(about))
		}
		padding := widest - len(l.Verdict)
		p.out.Printf("  %s%*s  %s: %s\n", p.out.Paint(colours[l.Verdict], string(l.Verdict)), padding, "", l.What, term.Clean(l.Found))
		if l.Do != "" {
			p.out.Printf("  %*s  → %s\n", widest, "", term.Clean(l.Do))
		}
	}
}
