package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/fleet"
)

// redis is a Redis that is looked at, over one connection.
type redis struct {
	*examination
	about  string
	key    string // of doctor's own, which goes by itself
	shared *config.Fleet
	do     fleet.Do
}

// patience is how long one answer may take.
const patience = 2 * time.Second

func (r *redis) look(ctx context.Context) error {
	for _, look := range []func(context.Context) error{r.latency, r.rights, r.info, r.clock} {
		if err := look(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ask sends a command. What Redis refuses is told apart from what it does not answer.
func (r *redis) ask(ctx context.Context, command ...string) (got any, refused string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return refusal(r.do(ctx, command...))
}

func refusal(got any, err error) (any, string, error) {
	if refused, is := errors.AsType[fleet.Refusal](err); is {
		return nil, string(refused), nil
	}
	return got, "", err
}

// latency holds what an answer takes against what a request with a proof waits.
func (r *redis) latency(ctx context.Context) error {
	var took []time.Duration
	for range 9 {
		began := time.Now()
		if _, _, err := r.ask(ctx, "EXISTS", r.key); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	middle, longest := took[len(took)/2], took[len(took)-1]
	found := fmt.Sprintf("answers after %v, and %v at most of %d", short(middle), short(longest), len(took))
	if bound := or(r.shared.Config.ReplayTimeout, 50*time.Millisecond); middle > bound/2 {
		r.note(Doubtful, r.about, "redis", found, fmt.Sprintf("requests with a proof are refused (503) where that is more than fleet.replayTimeout, %v: have Redis nearer, or wait longer", bound))
		return nil
	}
	r.note(Good, r.about, "redis", found, "")
	return nil
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// or is d, or package fleet's default.
func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// trials are the commands that docs/fleet.md has the user need, each in a form that does
// nothing but to keys of doctor's own.
func trials(hash, stream string) [][]string {
	return [][]string{
		{"HSET", hash, "f", "1"}, {"PEXPIRE", hash, "10000"}, {"HGET", hash, "f"}, {"HLEN", hash}, {"HSCAN", hash, "0"},
		{"HINCRBY", hash, "f", "1"}, {"HSETNX", hash, "f", "1"}, {"HDEL", hash, "f"}, {"TYPE", hash}, {"EXISTS", hash}, {"DEL", hash},
		{"XADD", stream, "*", "f", "1"}, {"PEXPIRE", stream, "10000"}, {"XREAD", "COUNT", "1", "STREAMS", stream, "0-0"},
		{"XREVRANGE", stream, "+", "-", "COUNT", "1"}, {"DEL", stream}, {"EVAL", "return 1", "1", hash}, {"WAIT", "0", "1"}, {"PING"},
	}
}

// spreadTrials are those of answers and replays, whose keys are spread over a cluster.
func spreadTrials(text string) [][]string {
	return [][]string{
		{"SET", text, "1", "PX", "10000"}, {"GET", text}, {"MGET", text}, {"DEL", text},
		{"EVALSHA", strings.Repeat("0", 40), "1", text}, // NOSCRIPT: it is not there, and might be run
	}
}

// rights tries each command that the library sends.
func (r *redis) rights(ctx context.Context) error {
	var denied []string
	took := func(command, refused string) {
		if strings.HasPrefix(refused, "NOPERM") {
			denied = append(denied, command)
		}
	}
	for _, command := range trials(r.key+":h", r.key+":s") {
		_, refused, err := r.ask(ctx, command...)
		if err != nil {
			return err
		}
		took(command[0], refused)
	}
	text := "m2mguard:" + r.shared.Config.Name + ":" + madeUp(nil)
	for _, command := range spreadTrials(text) {
		bound, cancel := context.WithTimeout(ctx, patience)
		_, refused, err := refusal(r.shared.Conn().Do(bound, text, command...))
		cancel()
		if err != nil {
			return err
		}
		took(command[0], refused)
	}
	slices.Sort(denied)
	if denied = slices.Compact(denied); len(denied) > 0 {
		r.note(Bad, r.about, "rights", "the user may not: "+strings.Join(denied, ", "), "give the ACL user (fleet.user) the commands and keys that docs/fleet.md lists")
		return nil
	}
	r.note(Good, r.about, "rights", "each command that is needed may be sent", "")
	return nil
}

// clock holds this machine's clock against Redis' (TIME). Redis' own need agree with
// nobody's, but by it two machines can be compared that both look.
func (r *redis) clock(ctx context.Context) error {
	began := r.Now()
	got, refused, err := r.ask(ctx, "TIME")
	if err != nil {
		return err
	}
	took := r.Now().Sub(began)
	if refused != "" {
		r.note(Good, r.about, "clock", "is not known: the user may not send TIME, which nothing but doctor needs", "")
		return nil
	}
	at, ok := timeOf(got)
	if !ok {
		return errors.New("the answer to TIME is no time: is something else at fleet.url?")
	}
	ahead := at.Sub(began.Add(took / 2))
	spread := or(r.shared.Config.MaxClockSpread, 10*time.Second)
	found := fmt.Sprintf("Redis' is %v ahead of ours", ahead.Round(time.Millisecond))
	if ahead < 0 {
		found = fmt.Sprintf("Redis' is %v behind ours", (-ahead).Round(time.Millisecond))
	}
	if ahead.Abs()-took/2 > spread/2 {
		r.note(Doubtful, r.about, "clock", fmt.Sprintf("%s, and those of two instances may differ by %v", found, spread), "set the clocks by NTP; by more than fleet.maxClockSpread, a seen proof may pass again and answers are not shared")
		return nil
	}
	r.note(Good, r.about, "clock", found, "")
	return nil
}

// timeOf reads what TIME answers: seconds and microseconds.
func timeOf(got any) (t time.Time, ok bool) {
	pair, is := got.([]any)
	if !is || len(pair) != 2 {
		return t, false
	}
	var numbers [2]int64
	for n := range pair {
		text, _ := pair[n].(string)
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return t, false
		}
		numbers[n] = number
	}
	return time.Unix(numbers[0], numbers[1]*1000), true
}
