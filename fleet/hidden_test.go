package fleet_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

// hiding is a Redis, or a proxy before it, that keeps records from one instance and has
// no secret. All that is not sealed fits what it shows: numbers of changes and records.
type hiding struct {
	fleet.Conn
	forges bool // adds a change before each heartbeat

	mu      sync.Mutex
	hides   bool            // each new record
	hidden  map[string]bool // fields
	changes int             // how many there are truly
	forged  int             // how many were added
	shown   map[string]int  // forged, by places in the log
}

func newHiding(t *testing.T, address string, forges bool) *hiding {
	conn, done := fleet.Dial(t, address)
	t.Cleanup(done)
	return &hiding{Conn: conn, forges: forges, hidden: map[string]bool{}, shown: map[string]int{}}
}

func (h *hiding) hide() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hides = true
}

func (h *hiding) edit(got any, command string) any {
	h.mu.Lock()
	defer h.mu.Unlock()
	list, ok := got.([]any)
	switch {
	case !ok:
		return got
	case command == "HSCAN":
		var kept []any
		for page := list[1].([]any); len(page) > 0; page = page[2:] {
			if !h.hidden[page[0].(string)] {
				kept = append(kept, page[0], page[1])
			}
		}
		return []any{list[0], kept}
	case command == "XREAD":
		for _, stream := range list {
			if pair := stream.([]any); strings.HasSuffix(pair[0].(string), ":log") {
				pair[1] = h.log(pair[1].([]any))
			}
		}
	}
	return list
}

func (h *hiding) log(entries []any) (shown []any) {
	for _, e := range entries {
		at, texts := e.([]any)[0].(string), e.([]any)[1].([]any)
		of := map[string]string{}
		for n := 0; n+1 < len(texts); n += 2 {
			of[fmt.Sprint(texts[n])] = fmt.Sprint(texts[n+1])
		}
		if of["record"] != "" && h.hides {
			h.hidden[of["field"]] = true
		}
		if of["beat"] != "" && h.forges && h.hides {
			h.forged++
			ms, _, _ := strings.Cut(at, "-")
			before, _ := strconv.Atoi(ms)
			shown = append(shown, []any{fmt.Sprintf("%d-999999", before-1), []any{"change", strconv.Itoa(h.changes + h.forged)}})
		}
		if of["change"] != "" {
			number, _ := strconv.Atoi(of["change"])
			change := strconv.Itoa(number + h.forged)
			for n := 0; n+1 < len(texts); n += 2 {
				if texts[n] == "change" {
					texts[n+1] = change
				}
			}
			if h.hidden[of["field"]] {
				texts = []any{"change", change}
			}
		}
		h.shown[at] = h.forged
		shown = append(shown, []any{at, texts})
	}
	return shown
}

// standing is what scriptBeat and scriptLook answer, as it fits what was shown.
func (h *hiding) standing(got any, forged int) any {
	list, ok := got.([]any)
	if !ok || len(list) != 4 {
		return got
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes, _ = strconv.Atoi(list[2].(string))
	return []any{list[0], list[1], strconv.Itoa(h.changes + forged), list[3].(int64) - int64(len(h.hidden))}
}

func (h *hiding) Do(ctx context.Context, key string, command ...string) (any, error) {
	got, err := h.Conn.Do(ctx, key, command...)
	list, ok := got.([]any)
	for err == nil && ok && len(list) == 4 && ctx.Err() == nil { // a heartbeat: until it was shown
		h.mu.Lock()
		forged, is := h.shown[list[0].(string)]
		h.mu.Unlock()
		if is {
			return h.standing(got, forged), nil
		}
		time.Sleep(time.Millisecond)
	}
	return got, err
}

func (h *hiding) Session(ctx context.Context, key string, use func(fleet.Do) error) error {
	return h.Conn.Session(ctx, key, func(do fleet.Do) error {
		return use(func(ctx context.Context, command ...string) (any, error) {
			got, err := do(ctx, command...)
			if err == nil && command[0] == "EVAL" {
				h.mu.Lock()
				forged := h.forged
				h.mu.Unlock()
				return h.standing(got, forged), nil
			}
			if err == nil {
				got = h.edit(got, command[0])
			}
			return got, err
		})
	})
}

// TestKeptFromOne: where somebody without a secret takes a record away from one instance
// alone, out of the log and the set, each instance that is up notices: the list grows
// stale, or is not current from the start, and it is told.
func TestKeptFromOne(t *testing.T) {
	for name, c := range map[string]struct {
		forges, later bool
	}{
		"taken out":                      {false, false},
		"taken out, with forged changes": {true, false},
		"before it started":              {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			var told, toldB events
			quick := revocation.Config{StaleAfter: time.Second}
			a := start(t, server.Addr(), func(f *fleet.Config) { f.Observer, f.Revocations = told.observer(), quick })
			h := newHiding(t, server.Addr(), c.forges)
			startB := func() *fleet.Fleet {
				return start(t, "", func(f *fleet.Config) { f.URL, f.Conn, f.Observer, f.Revocations = "", h, toldB.observer(), quick })
			}
			eventually(t, "loaded", loaded(a))
			var b *fleet.Fleet
			if !c.later {
				b = startB()
				eventually(t, "b is current", func() bool { return loaded(b)() && b.Revocations().Stats().Age < 300*time.Millisecond })
				h.hide()
			}
			if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "hidden"))); err == nil && !c.later {
				t.Log("somebody acknowledged it")
			}
			if c.later {
				fields, err := server.HKeys(setKey)
				if err != nil {
					t.Fatal(err)
				}
				h.hidden[fields[0]] = true
				b = startB()
			} else {
				eventually(t, "b is stale", func() bool { return b.Revocations().Stats().Stale })
			}
			eventually(t, "a is stale", func() bool { return a.Revocations().Stats().Stale })
			eventually(t, "both are told", func() bool {
				return told.has("another instance holds something else") && toldB.has("another instance holds something else")
			})
			if refuses(b, "hidden") {
				t.Error("b has it, so that this test shows nothing")
			}
			if !c.later {
				return
			}
			if loaded(b)() {
				t.Error("b was current, though it was shown a part of what a has")
			}
			a.Close()
			eventually(t, "b is current, now that nobody is up who knows better", loaded(b))
		})
	}
}
