package fleet

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/m2mguard/m2mguard/revocation"
)

// id is an instance's: 16 random bytes of each New.
type id [16]byte

func (i id) String() string { return base64.RawURLEncoding.EncodeToString(i[:]) }

// What a message is, by its first byte.
const (
	isRecord = iota + 1
	isBeat
	isDrop
	isAck
)

// Places that messages are sealed for. A record's is its field.
const (
	placeBeat = "beat"
	placeDrop = "drop"
)

// message is a record of the set and the log.
type message struct {
	record revocation.Record
	writer id     // zero for one that was written back
	own    uint64 // the writer's own sequence
}

const (
	recordSize  = 1 + 1 + 16 + 16 + 8 + 1 + 4 + 4
	messageSize = recordSize + 16 + 8
)

// appendRecord writes what a record says, in one way only: never is 0 here.
func appendRecord(to []byte, r *revocation.Record) []byte {
	expires := r.Expires
	if expires == revocation.Forever {
		expires = 0
	}
	to = append(to, isRecord, byte(r.Kind))
	to = append(to, r.Key[:]...)
	to = append(to, r.Home[:]...)
	to = binary.BigEndian.AppendUint64(to, r.Sequence)
	lift := byte(0)
	if r.Lift {
		lift = 1
	}
	to = append(to, lift)
	to = binary.BigEndian.AppendUint32(to, r.Cutoff)
	return binary.BigEndian.AppendUint32(to, expires)
}

// sumOf tells records apart. Who cannot open them cannot know it.
func sumOf(r *revocation.Record) uint64 {
	var room [recordSize]byte
	sum := sha256.Sum256(appendRecord(room[:0], r))
	return binary.BigEndian.Uint64(sum[:8])
}

func (m *message) encode() []byte {
	to := appendRecord(make([]byte, 0, messageSize), &m.record)
	to = append(to, m.writer[:]...)
	return binary.BigEndian.AppendUint64(to, m.own)
}

var errForm = errors.New("it is none of ours, though it is sealed: written by another version")

func decodeMessage(text []byte) (m message, err error) {
	if len(text) != messageSize || text[0] != isRecord {
		return m, errForm
	}
	r := &m.record
	r.Kind = revocation.Kind(text[1])
	copy(r.Key[:], text[2:18])
	copy(r.Home[:], text[18:34])
	r.Sequence = binary.BigEndian.Uint64(text[34:42])
	r.Lift = text[42] == 1
	r.Cutoff = binary.BigEndian.Uint32(text[43:47])
	r.Expires = binary.BigEndian.Uint32(text[47:51])
	copy(m.writer[:], text[51:67])
	m.own = binary.BigEndian.Uint64(text[67:])
	if text[42] > 1 || r.Expires == revocation.Forever {
		return m, errForm
	}
	return m, nil
}

// foreign reports whether a record is one that this version makes nothing of: sealed by
// whoever has the secret, and of a kind, or a form, that a newer one has. It stands in
// Redis as others do, so that all agree on what does; it counts for nothing here, and is
// neither acknowledged nor taken out.
func (m *message) foreign() bool {
	r := &m.record
	return !r.Kind.Valid() || r.Sequence == 0 || r.Key == revocation.Key{} || r.Home == revocation.Key{} || r.Key == r.Home || r.Lift && r.Cutoff != 0
}

// errForeign is what is told of such.
var errForeign = errors.New("they are of a kind that this version does not know: a newer one has written them, and they count at instances of that alone")

// field names a record in the set: what differs in more than its sequence has another.
func (r *keyring) field(of *revocation.Record) string {
	same := *of
	same.Sequence = 0
	sum := r.mac(forFields, 0, appendRecord(nil, &same))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// A sequence number stands before a sealed record in the set, as digits that sort, so
// that a script may compare it. It counts for nothing else.
const digits = 16

func hex16(n uint64) string { return fmt.Sprintf("%016x", n) }

// openRecord opens what stands in the set, or in the log.
func (r *keyring) openRecord(field, sequence, sealed string) (m message, secret int, err error) {
	text, secret, err := r.open(forFeed, field, []byte(sealed))
	if err != nil {
		return m, 0, err
	}
	m, err = decodeMessage(text)
	if err == nil && hex16(m.record.Sequence) != sequence {
		err = errNotSealed
	}
	return m, secret, err
}

// beat is an instance's heartbeat.
type beat struct {
	from     id
	count    uint64 // of this instance's, from 1 on
	sent     uint64 // by its clock, in milliseconds since 1970
	leaving  bool
	position position // up to where it has read the log
	digest   uint64   // of all records that it knows to stand in Redis
	entries  uint64
}

const beatSize = 1 + 16 + 8 + 1 + 8 + 16 + 8 + 8

func (b *beat) encode() []byte {
	to := append(make([]byte, 0, beatSize), isBeat)
	to = append(to, b.from[:]...)
	to = binary.BigEndian.AppendUint64(to, b.count)
	flags := byte(0)
	if b.leaving {
		flags |= 1
	}
	to = append(to, flags)
	for _, n := range []uint64{b.sent, b.position.ms, b.position.n, b.digest, b.entries} {
		to = binary.BigEndian.AppendUint64(to, n)
	}
	return to
}

func decodeBeat(text []byte) (b beat, err error) {
	if len(text) != beatSize || text[0] != isBeat || text[25] > 1 {
		return b, errForm
	}
	copy(b.from[:], text[1:17])
	b.count = binary.BigEndian.Uint64(text[17:])
	b.leaving = text[25] == 1
	b.sent = binary.BigEndian.Uint64(text[26:])
	b.position = position{binary.BigEndian.Uint64(text[34:]), binary.BigEndian.Uint64(text[42:])}
	b.digest = binary.BigEndian.Uint64(text[50:])
	b.entries = binary.BigEndian.Uint64(text[58:])
	return b, nil
}

// dropped is a record that is needless, by its field.
type dropped struct {
	field    string // fieldSize bytes
	sequence uint64
}

const (
	fieldSize = 22 // 16 bytes in base64url
	dropSize  = fieldSize + 8
)

func encodeDrop(drops []dropped) []byte {
	to := append(make([]byte, 0, 1+len(drops)*dropSize), isDrop)
	for _, d := range drops {
		to = append(to, d.field...)
		to = binary.BigEndian.AppendUint64(to, d.sequence)
	}
	return to
}

func decodeDrop(text []byte) (drops []dropped, err error) {
	if len(text) < 1 || text[0] != isDrop || (len(text)-1)%dropSize != 0 {
		return nil, errForm
	}
	for text = text[1:]; len(text) > 0; text = text[dropSize:] {
		drops = append(drops, dropped{string(text[:fieldSize]), binary.BigEndian.Uint64(text[fieldSize:])})
	}
	return drops, nil
}

// ack is what an instance says to a writer: all of these, by the writer's own sequence,
// count here.
type ack struct {
	from id
	own  []uint64
}

func (a *ack) encode() []byte {
	to := append([]byte{isAck}, a.from[:]...)
	for _, n := range a.own {
		to = binary.BigEndian.AppendUint64(to, n)
	}
	return to
}

func decodeAck(text []byte) (a ack, err error) {
	if len(text) < 17 || text[0] != isAck || (len(text)-17)%8 != 0 {
		return a, errForm
	}
	copy(a.from[:], text[1:])
	for text = text[17:]; len(text) > 0; text = text[8:] {
		a.own = append(a.own, binary.BigEndian.Uint64(text))
	}
	return a, nil
}

// position is a place in a log: milliseconds, and a number within one.
type position struct{ ms, n uint64 }

func (p position) after(other position) bool {
	return p.ms > other.ms || p.ms == other.ms && p.n > other.n
}

// before is the place right before this one.
func (p position) before() position {
	if p.n == 0 {
		return position{p.ms - 1, math.MaxUint64}
	}
	return position{p.ms, p.n - 1}
}

func (p position) String() string {
	return strconv.FormatUint(p.ms, 10) + "-" + strconv.FormatUint(p.n, 10)
}

func parsePosition(text string) (p position, err error) {
	for at := range len(text) {
		if text[at] != '-' {
			continue
		}
		if p.ms, err = strconv.ParseUint(text[:at], 10, 64); err == nil {
			p.n, err = strconv.ParseUint(text[at+1:], 10, 64)
		}
		return p, err
	}
	return p, errAnswer
}

// errAnswer is for what no Redis answers.
var errAnswer = errors.New("fleet: Redis answered in a form that it never has; is something else at Config.URL?")
