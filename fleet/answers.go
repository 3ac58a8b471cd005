package fleet

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// inactiveOf is how many inactive answers each of 256 tags of a cluster's slots holds,
// of tokens that were not seen active. So made-up tokens take 8,192 entries of about 200
// bytes at most, however many there are.
const inactiveOf = 32

// leaseKeep is how long Redis holds a lease at most.
const leaseKeep = time.Minute

// Answers is a store for introspection.Config.Shared: what one instance was told of a
// token serves all that ask as the same client.
//
// What stands in Redis is named by a keyed hash, and sealed under it: who reads it learns
// neither token nor answer, and who writes it has no answer served but one about the same
// token, from the same deployment, for what is left of its time. An entry that was
// altered, moved or put back later counts as none and is reported.
//
// Answers begins to connect, so that no request waits for that.
func (f *Fleet) Answers() introspection.Shared {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // it never fails
	f.warm()
	return &answers{f: f, id: base64.RawURLEncoding.EncodeToString(id)}
}

type answers struct {
	f  *Fleet
	id string // this instance's, of its leases
}

var _ introspection.Shared = (*answers)(nil)

// place is where one question's entries stand, by one secret.
type place struct {
	id                      string // in an inactive entry, whose place several questions share
	answer, inactive, lease string
}

// place names them. They share a slot of a cluster, so that one script reads all.
func (a *answers) place(ring *keyring, secret int, q introspection.SharedKey) place {
	mac := ring.mac(forAnswerNames, secret, q[:])
	id := base64.RawURLEncoding.EncodeToString(mac[2:18])
	tag := fmt.Sprintf("{%02x}", mac[0])
	return place{
		id:       id,
		answer:   a.f.spreadKey(tag, "answer:"+id),
		inactive: a.f.spreadKey(tag, fmt.Sprintf("inactive:%d", mac[1]%inactiveOf)),
		lease:    a.f.spreadKey(tag, "lease:"+id),
	}
}

// Load implements [introspection.Shared]. Of what stands under either secret it is the
// latest, or the one that is inactive.
func (a *answers) Load(ctx context.Context, q introspection.SharedKey) ([]byte, error) {
	ring := a.f.ring()
	var best *kept
	var rejected error
	for n := range ring.secrets {
		at := a.place(ring, n, q)
		got, err := a.f.conn.Do(ctx, at.answer, "MGET", at.answer, at.inactive)
		if err != nil {
			return nil, fmt.Errorf("fleet: no answer was loaded: %w", err)
		}
		texts, ok := got.([]any)
		if !ok || len(texts) != 2 {
			return nil, fmt.Errorf("fleet: no answer was loaded: Redis answered with a %T, wanted two values", got)
		}
		for i, text := range texts {
			sealed, ok := text.(string)
			if !ok {
				continue
			}
			one, err := openKept(ring, at, sealed, i == 1, a.f.config.Now(), a.f.config.MaxClockSpread)
			switch {
			case err != nil:
				rejected = err
			case one != nil && one.beats(best, a.f.config.MaxClockSpread):
				best = one
			}
		}
	}
	if best != nil {
		return best.data, nil
	}
	return nil, rejected
}

// saveAnswer is what Save has Redis do. An answer that is active takes the place of one
// that was asked for before; an inactive one takes an active one's place at once, and
// keeps it from those that come late. Without such a place it goes where those of
// made-up tokens go.
//
// KEYS: answer, inactive, lease. ARGV: the kind; when it was asked for; the entry; how
// long it is kept, and how long an inactive one keeps others out; by how much clocks
// differ; the id. Times are in milliseconds. What is more than a minute ahead was written
// by nobody of ours, and bars nothing.
const saveAnswer = `
local old = redis.call('GET', KEYS[1])
local asked, spread = tonumber(ARGV[2]), tonumber(ARGV[6])
local function late(e)
  local at = tonumber(string.sub(e, 2, 16))
  if not at or at > asked + spread + 60000 then return false end
  local kind = string.sub(e, 1, 1)
  return kind == 'i' and at + spread >= asked or kind == 'a' and at > asked
end
if ARGV[1] == 'a' then
  local made = redis.call('GET', KEYS[2])
  if made and string.sub(made, 17, 38) ~= ARGV[7] then made = false end
  if tonumber(ARGV[4]) > 0 and not (old and late(old)) and not (made and late(made)) then
    redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  end
elseif old then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[5])
elseif tonumber(ARGV[4]) > 0 then
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
end
redis.call('DEL', KEYS[3])
return 1`

// Save implements [introspection.Shared]. An inactive answer is saved under both
// secrets: an active one may stand under either.
func (a *answers) Save(ctx context.Context, q introspection.SharedKey, saved introspection.SharedAnswer) error {
	ring := a.f.ring()
	spread := a.f.config.MaxClockSpread
	bars := max(saved.Bars, 0) + spread
	one := kept{active: saved.Active, asked: saved.AskedAt, until: a.f.config.Now().Add(max(saved.Keep, bars)), data: saved.Data}
	if one.active {
		one.until = a.f.config.Now().Add(saved.Keep)
	}
	for n := range ring.secrets {
		if n > 0 && one.active {
			break
		}
		at := a.place(ring, n, q)
		entry := one.seal(ring, n, at)
		if _, err := a.f.runScript(ctx, saveAnswer, saveAnswerSHA, []string{at.answer, at.inactive, at.lease},
			entry[:1], millis(saved.AskedAt.UnixMilli()), entry, millis(saved.Keep.Milliseconds()), millis(bars.Milliseconds()), millis(spread.Milliseconds()), at.id); err != nil {
			return fmt.Errorf("fleet: an answer was not saved: %w", err)
		}
	}
	return nil
}

// dropLease ends a lease of ours alone.
const dropLease = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`

// Lease implements [introspection.Shared].
func (a *answers) Lease(ctx context.Context, q introspection.SharedKey, keep time.Duration) (mine bool, err error) {
	at := a.place(a.f.ring(), 0, q)
	if keep <= 0 {
		_, err = a.f.runScript(ctx, dropLease, dropLeaseSHA, []string{at.lease}, a.id)
		return false, err
	}
	got, err := a.f.conn.Do(ctx, at.lease, "SET", at.lease, a.id, "NX", "PX", millis(max(min(keep, leaseKeep).Milliseconds(), 1)))
	if err != nil {
		return false, fmt.Errorf("fleet: no lease: %w", err)
	}
	return got == "OK", nil
}

func millis(n int64) string { return strconv.FormatInt(n, 10) }

// runScript runs one whose keys are in one slot of a cluster.
func (f *Fleet) runScript(ctx context.Context, text, sha string, keys []string, args ...string) (any, error) {
	command := append(append([]string{"EVALSHA", sha, strconv.Itoa(len(keys))}, keys...), args...)
	got, err := f.conn.Do(ctx, keys[0], command...)
	var refused Refusal
	if errors.As(err, &refused) && strings.HasPrefix(string(refused), "NOSCRIPT") {
		command[0], command[1] = "EVAL", text
		return f.conn.Do(ctx, keys[0], command...)
	}
	return got, err
}

// Redis knows scripts by these.
var (
	saveAnswerSHA = scriptSHA(saveAnswer)
	dropLeaseSHA  = scriptSHA(dropLease)
)

func scriptSHA(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}
