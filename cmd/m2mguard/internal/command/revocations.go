package command

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

type revocationsFlags struct {
	targetFlags
	most int
	json bool
}

func (p *program) revocations() *cobra.Command {
	var f revocationsFlags
	cmd := &cobra.Command{
		Use:   "revocations [FILE]",
		Short: "List what is revoked, and which instances are up",
		Long: `List what stands in Redis: how many entries there are, how old the list is, which
instances are up and which fell silent, and each entry by its kind, a hash of whose it is,
and when it was made. Nobody can tell names by that; with a target, as of revoke, only what
stands about it is listed.

Exit codes: 0 it was read, and stands if a target was named; 1 it could not be read, or
nothing stands about the target; 2 the command line or the file is wrong.`,
		Example: `  m2mguard revocations
  m2mguard revocations --client orders-batch && echo it is revoked
  m2mguard revocations --json --most 0 | jq '.entries[] | select(.kind == "client")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.listRevocations(cmd.Context(), &f, cmd.Flags(), args)
		},
	}
	flags := cmd.Flags()
	f.add(flags)
	flags.IntVar(&f.most, "most", 100, "list so many entries, the latest first; 0 for all")
	flags.BoolVar(&f.json, "json", false, "write JSON: counts, instances and entries")
	return cmd
}

// standing is one entry, as it is written.
type standing struct {
	Kind string `json:"kind"`
	Key  string `json:"key"` // a hash of whose it is
	Lift bool   `json:"lift,omitempty"`
	Made string `json:"made"` // when; by the clock of whoever made it
	// Cutoff is up to when tokens must have been issued to be refused; absent for any.
	Cutoff  string `json:"issued_before,omitempty"`
	Expires string `json:"expires,omitempty"`
}

// standings are all that is known.
type standings struct {
	Entries   int        `json:"count"`
	Lifts     int        `json:"lifts"`
	Age       float64    `json:"age_seconds"`
	Live      []string   `json:"instances"`
	Silent    []string   `json:"silent"`
	Unread    int        `json:"heartbeats_of_another_secret"`
	Listed    []standing `json:"entries"`
	NotListed int        `json:"not_listed"`
}

func (p *program) listRevocations(ctx context.Context, f *revocationsFlags, flags *pflag.FlagSet, args []string) error {
	file, err := p.shared()
	if err != nil {
		return err
	}
	defer file.Close()
	var target *revocation.Target
	if f.issuer != "" || f.opaque || len(args) > 0 || slices.ContainsFunc(f.named(), func(n namedTarget) bool { return flags.Changed(n.flag) }) {
		t, err := p.target(file, &f.targetFlags, flags, args)
		if err != nil {
			return failure{exitWrong, err}
		}
		target = &t
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	end := p.err.Waiting("reading what is revoked, and listening who is up")
	list, err := filled(ctx, file.Fleet)
	var h fleet.Heard
	if err == nil {
		h, err = file.Fleet.Listen(ctx)
	}
	end()
	if err != nil {
		return failure{exitBad, err}
	}
	records := slices.Collect(list.Records())
	if target != nil {
		if records, err = held(list, *target); err != nil {
			return failure{exitWrong, err}
		}
	}
	slices.SortFunc(records, func(a, b revocation.Record) int { return cmp.Compare(b.Sequence, a.Sequence) })
	s := list.Stats()
	out := standings{Entries: s.Entries, Lifts: s.Lifts, Age: s.Age.Seconds(), Live: names(h.Live), Silent: names(h.Silent), Unread: h.Unread, Listed: []standing{}}
	for n, r := range records {
		if f.most > 0 && n == f.most {
			out.NotListed = len(records) - n
			break
		}
		out.Listed = append(out.Listed, stands(r))
	}
	if f.json {
		err = p.writeJSON(out)
	} else {
		p.standings(&out, target != nil)
	}
	if err == nil && target != nil && len(records) == 0 {
		err = failure{exitBad, nil}
	}
	return err
}

// stands is a record in words. Sequences follow the clock, in microseconds.
func stands(r revocation.Record) standing {
	s := standing{Kind: r.Kind.String(), Key: hex.EncodeToString(r.Key[:]), Lift: r.Lift, Made: written(time.UnixMicro(int64(min(r.Sequence, farOff))))}
	if !r.Lift && r.Cutoff != revocation.Forever {
		s.Cutoff = written(time.Unix(int64(r.Cutoff), 0))
	}
	if r.Expires != 0 && r.Expires != revocation.Forever {
		s.Expires = written(time.Unix(int64(r.Expires), 0))
	}
	return s
}

// farOff is the last sequence that is shown as a time, in the year 9999.
const farOff = 253402300799 * 1e6

func written(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (p *program) standings(s *standings, ofTarget bool) {
	p.out.Printf("entries: %d, lifts: %d, complete as of %.1f s ago\n", s.Entries, s.Lifts, s.Age)
	p.out.Printf("  %-10s %s\n", "instances", people(s.Live, "none beside this program"))
	if len(s.Silent) > 0 {
		p.out.Printf("  %-10s %s\n", p.out.Paint(term.Yellow, "silent"), people(s.Silent, "none"))
		p.out.Printf("→ killed, cut off from Redis, or ended without Close\n")
	}
	if s.Unread > 0 {
		p.out.Printf("→ there are instances with another secret, which share nothing with this list: see fleet.secrets\n")
	}
	if ofTarget && len(s.Listed) == 0 {
		p.out.Printf("nothing stands about this target\n")
	}
	for _, e := range s.Listed {
		what := "all tokens"
		switch {
		case e.Lift:
			what = "lifted"
		case e.Cutoff != "":
			what = "issued up to " + e.Cutoff
		}
		if e.Expires != "" {
			what += ", until " + e.Expires
		}
		p.out.Printf("  %s  %-12s %.16s  %s\n", e.Made, e.Kind, e.Key, what)
	}
	if s.NotListed > 0 {
		p.out.Printf("  and %d more: --most %d\n", s.NotListed, s.NotListed+len(s.Listed))
	}
}
