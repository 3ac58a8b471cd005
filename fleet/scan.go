package fleet

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"time"
)

// scanCount is how many records are read at once, about.
const scanCount = "2000"

// standingRecord is a record of the set.
type standingRecord struct {
	name   string // of its field
	value  string
	secret int // 0 for the first
	message
}

// broken is what stands in the set and cannot be opened. Whoever can write there decides
// how much that is, and how long, so that no more is kept of each than is needed to write
// over it: a hash of what was found.
type broken struct {
	count int
	at    map[field][sha1.Size]byte // of those at places of ours
}

func (b *broken) add(name, value string) {
	b.count++
	if at, err := parseField(name); err == nil {
		b.at[at] = sha1.Sum([]byte(value))
	}
}

// of is what a script knows a broken record by; "" if there is none.
func (b *broken) of(name string) string {
	at, _ := parseField(name) // a name of ours
	if sum, is := b.at[at]; is {
		return hex.EncodeToString(sum[:])
	}
	return ""
}

// errCrowded is why the set is not read on.
var errCrowded = errors.New("more stands in Redis that cannot be opened than this list may hold entries (Config.Revocations.MaxEntries)")

// scan reads the set. What cannot be opened is returned apart.
func (d *feed) scan(do Do, ring *keyring) (records []standingRecord, bad broken, err error) {
	bad.at = make(map[field][sha1.Size]byte)
	seed, seen := maphash.MakeSeed(), make(map[uint64]struct{})
	for cursor := "0"; ; {
		got, err := d.plain(do, "HSCAN", d.setKey(), cursor, "COUNT", scanCount)
		if err != nil {
			return nil, bad, err
		}
		page, ok := got.([]any)
		if !ok || len(page) != 2 {
			return nil, bad, errAnswer
		}
		next, _ := page[0].(string)
		texts, ok := page[1].([]any)
		if !ok || next == "" || len(texts)%2 != 0 {
			return nil, bad, errAnswer
		}
		for n := 0; n < len(texts); n += 2 {
			name, _ := texts[n].(string)
			value, _ := texts[n+1].(string)
			sum := maphash.String(seed, name)
			if _, twice := seen[sum]; twice {
				continue // a hash that grows may show some twice
			}
			seen[sum] = struct{}{}
			m, secret, err := message{}, 0, errNotSealed
			if len(value) == digits+messageSize+sealExtra && len(name) == fieldSize {
				m, secret, err = ring.openRecord(name, value[:digits], value[digits:])
			}
			if _, other := parseField(name); err != nil || other != nil {
				bad.add(name, value)
				continue
			}
			records = append(records, standingRecord{name, value, secret, m})
		}
		if bad.count > d.mostBroken {
			return nil, bad, errCrowded
		}
		if cursor = next; cursor == "0" {
			return records, bad, nil
		}
	}
}

// crowded notes that the set cannot be read for what somebody has put there.
func (d *feed) crowded() {
	d.mu.Lock()
	d.complete, d.looked = false, time.Now()
	d.fruitless++
	d.want(errCrowded.Error())
	d.mu.Unlock()
	d.tell("crowded", fmt.Errorf("fleet: the revocations were not read: %w: somebody fills Redis", errCrowded))
}

// fruitlessLooks in a row have no consequence, as faults of a network come in swarms.
// Each further one doubles how long the next one waits, to half of the stale bound at
// most: whoever can write to Redis would else have each instance read all of it each
// second.
const fruitlessLooks = 8

// found is what a look found that an instance has sealed: the digest and number of
// records. What cannot be opened, and the epoch, are for anybody to change.
func (d *feed) found() [2]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return [2]uint64{d.digest, uint64(len(d.known))}
}

// weigh notes whether a look found anything new, or something to be written back.
func (d *feed) weigh(before [2]uint64, whole bool) {
	now := d.found()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fruitless++; !whole || now != before {
		d.fruitless = 0
	}
}

// pauseBetween is how long it must be between two looks that something gave reason for.
// The caller holds mu.
func (d *feed) pauseBetween() time.Duration {
	over := max(0, min(d.fruitless-fruitlessLooks, 16))
	return max(d.tempo.least, min(d.tempo.least<<over, d.staleAfter/2))
}
