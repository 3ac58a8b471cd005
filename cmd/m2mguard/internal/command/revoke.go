package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

type revokeFlags struct {
	targetFlags
	before           string
	lift, everything bool
	json             bool
}

func (p *program) revoke() *cobra.Command {
	var f revokeFlags
	cmd := &cobra.Command{
		Use:   "revoke [FILE]",
		Short: "Have every instance refuse tokens from now on, or accept them again",
		Long: `Have every instance of the API refuse tokens from now on: a client's, a subject's, one by
its id, those that a key has signed, an opaque one, or all of an issuer. They are refused
until that is lifted, whenever they were issued; with --issued-before only those that were
issued up to now, or up to a time: --issued-before=2026-11-26T09:00:00Z.

It goes by the fleet of the file: its Redis, name and secrets must be those of the API. The
receipt is shown as it fills: which instances refuse, who has not said so yet, and who fell
silent within the stale bound, and may serve what is revoked or be gone.

Where no other instance is up, the entry stands in Redis, and whoever starts takes it from
there; the exit code is 3, because a name that is misspelt looks the same.

Exit codes: 0 every instance that may be alive has it, and there is one beside this
program; 1 it failed, and may count or not: once more does no harm; 2 the command line or
the file is wrong, and nothing was done; 3 it stands in Redis, and not everybody, or nobody
else, has confirmed it.`,
		Example: `  m2mguard revoke --client orders-batch
  m2mguard revoke --client orders-batch --issued-before   it has a new secret: old tokens alone
  m2mguard revoke --client orders-batch --lift
  m2mguard revoke --opaque < token.txt
  m2mguard revoke --issuer https://id.example.com --everything`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.revokeTarget(cmd, &f, args) },
	}
	flags := cmd.Flags()
	f.add(flags)
	flags.StringVar(&f.before, "issued-before", "", "refuse only what was issued up to this `TIME` (RFC 3339), or up to now without one")
	flags.Lookup("issued-before").NoOptDefVal = "now"
	flags.BoolVar(&f.lift, "lift", false, "end what was revoked of exactly this target")
	flags.BoolVar(&f.everything, "everything", false, "do not ask whether all tokens of an issuer are meant")
	flags.BoolVar(&f.json, "json", false, "write the receipt as JSON, once it is as full as it gets")
	return cmd
}

func (p *program) revokeTarget(cmd *cobra.Command, f *revokeFlags, args []string) error {
	file, err := p.shared()
	if err != nil {
		return err
	}
	defer file.Close()
	target, err := p.target(file, &f.targetFlags, cmd.Flags(), args)
	entry, wrong := f.entry(target)
	if err := errors.Join(err, wrong); err != nil {
		return failure{exitWrong, err}
	}
	if target.Kind() == revocation.ByIssuer && !f.lift && !f.everything {
		if err := p.confirmed(target.Issuer()); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), p.timeout)
	defer cancel()
	end := p.err.Waiting("reading what is revoked")
	list, err := filled(ctx, file.Fleet)
	end()
	if err != nil {
		return failure{exitBad, err}
	}
	before, err := held(list, target)
	if err != nil {
		return failure{exitWrong, err}
	}
	end = p.err.Waiting("waiting for another instance to confirm")
	receipt, err := file.Fleet.Revoke(ctx, entry)
	end()
	if err != nil && !errors.Is(err, fleet.ErrUnacknowledged) {
		return failure{exitBad, fmt.Errorf("%w\nit may count or not: once more does no harm", err)}
	}
	p.fill(ctx, file.Fleet, &receipt)
	o := outcome{Receipt: &receipt, entry: entry, before: len(before), failed: err}
	o.add(file.Fleet.Listen(ctx))
	if f.json {
		err = p.receiptJSON(&o)
	} else {
		p.receipt(&o)
	}
	switch {
	case f.json && err != nil:
		return err
	case !o.everybody():
		return failure{exitUnconfirmed, nil}
	}
	return nil
}

// outcome is what became of a revocation.
type outcome struct {
	*fleet.Receipt
	entry  revocation.Entry
	before int   // entries that stood about the same target
	failed error // fleet.ErrUnacknowledged
	unread int   // heartbeats by another secret
}

// add notes who fell silent before this program began, and whom it cannot reach. Where
// that could not be heard, it is not known who has the entry.
func (o *outcome) add(h fleet.Heard, err error) {
	for _, name := range h.Silent {
		if !slices.Contains(o.Unknown, name) && !slices.Contains(o.Acknowledged, name) {
			o.Unknown = append(o.Unknown, name)
		}
	}
	o.unread = h.Unread
	if o.failed == nil {
		o.failed = err
	}
}

// everybody reports whether all that may be alive have it, and somebody beside this
// program.
func (o *outcome) everybody() bool {
	return o.failed == nil && o.All() && len(o.Acknowledged) > 1 && o.unread == 0
}

// entry is what the flags say is to be done.
func (f *revokeFlags) entry(t revocation.Target) (revocation.Entry, error) {
	switch {
	case f.lift && f.before != "":
		return revocation.Entry{}, errors.New("--lift ends whatever was revoked of the target: wanted no --issued-before beside it")
	case f.lift:
		return revocation.Lift(t), nil
	case f.before == "":
		return revocation.Block(t), nil
	case f.before == "now":
		return revocation.IssuedBefore(t, time.Time{}), nil
	}
	at, err := time.Parse(time.RFC3339, f.before)
	if err != nil {
		return revocation.Entry{}, errors.New("--issued-before: wanted a time after =, such as --issued-before=2026-11-26T09:00:00Z (RFC 3339), or nothing for now")
	}
	return revocation.IssuedBefore(t, at), nil
}

// between is how often the receipt is looked at.
const between = 50 * time.Millisecond

// fill shows the receipt as it fills, until it is full, or ctx or the fleet's time for a
// revocation has ended.
func (p *program) fill(ctx context.Context, shared *config.Fleet, r *fleet.Receipt) {
	bound := shared.Config.RevokeTimeout
	if bound == 0 {
		bound = fillTime
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	progress := p.err.Progress()
	defer progress.End()
	for ctx.Err() == nil {
		look, stop := context.WithTimeout(ctx, between)
		err := r.Wait(look)
		stop()
		progress.Show(fmt.Sprintf("… %d of %d instances confirmed", len(r.Acknowledged)-1, len(r.Acknowledged)-1+len(r.Waiting)))
		if err == nil {
			return
		}
	}
}

// fillTime is fleet.Config's RevokeTimeout where the file has none.
const fillTime = 5 * time.Second

func (p *program) receipt(r *outcome) {
	colour, what := term.Green, "confirmed by all that are up"
	if !r.everybody() {
		colour, what = term.Yellow, "stands in Redis, and is not confirmed by all"
	}
	p.out.Printf("%s: %s\n", term.Clean(r.entry.String()), p.out.Paint(colour, what))
	line := func(name, text string) { p.out.Printf("  %-12s %s\n", name, text) }
	line("confirmed", people(r.Acknowledged[1:], "nobody else"))
	line("waiting", people(r.Waiting, "nobody"))
	line("silent", people(r.Unknown, "nobody"))
	line("replicas", counted(r.Replicas))
	line("on a disk", map[bool]string{true: "yes", false: "not known"}[r.Persisted])
	switch lifts := r.entry.String() == revocation.Lift(r.entry.Target()).String(); {
	case lifts && r.before == 0:
		p.out.Printf("→ nothing was held of this target that is lifted now: see whether the name is right\n")
	case !lifts && r.before > 0:
		p.out.Printf("→ the target had been revoked before: what stood stays\n")
	}
	switch {
	case r.failed != nil:
		p.out.Printf("→ %s\n", term.Clean(r.failed.Error()))
	case r.unread > 0:
		p.out.Printf("→ there are instances with another secret, which cannot read it: fleet.secrets must be the API's, and all of its instances' the same\n")
	case len(r.Waiting) > 0:
		p.out.Printf("→ the instances that are waited for may still accept it: do it once more, or end them\n")
	case len(r.Acknowledged) < 2:
		p.out.Printf("→ no other instance is up: whoever starts takes it from Redis. If some are up, fleet.name or fleet.secrets is not theirs (m2mguard doctor)\n")
	case len(r.Unknown) > 0:
		p.out.Printf("→ see whether the silent ones have ended: one that is cut off from Redis accepts it until it is back\n")
	}
}

// people counts instances, and names a few.
func people(names []string, none string) string {
	const shown = 5
	switch {
	case len(names) == 0:
		return none
	case len(names) > shown:
		return fmt.Sprintf("%d: %s and %d more", len(names), strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return fmt.Sprintf("%d: %s", len(names), strings.Join(names, ", "))
}

func counted(n int) string {
	if n < 0 {
		return "not known"
	}
	return fmt.Sprint(n)
}

// receiptJSON writes what a script reads.
func (p *program) receiptJSON(r *outcome) error {
	out := struct {
		Done        string   `json:"done"`
		Confirmed   bool     `json:"confirmed_by_all"`
		Sequence    uint64   `json:"sequence"`
		Acks        []string `json:"confirmed"`
		Waiting     []string `json:"waiting"`
		Silent      []string `json:"silent"`
		Replicas    int      `json:"replicas"`
		Persisted   bool     `json:"persisted"`
		Unread      int      `json:"heartbeats_of_another_secret"`
		StoodBefore int      `json:"stood_before"`
		Error       string   `json:"error,omitempty"`
	}{r.entry.String(), r.everybody(), r.Sequence, names(r.Acknowledged[1:]), names(r.Waiting), names(r.Unknown), r.Replicas, r.Persisted, r.unread, r.before, ""}
	if r.failed != nil {
		out.Error = r.failed.Error()
	}
	return p.writeJSON(out)
}

// names is never null in JSON.
func names(list []string) []string { return append([]string{}, list...) }

func (p *program) writeJSON(value any) error {
	encoder := json.NewEncoder(p.Out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return failure{exitBad, err}
	}
	return nil
}
