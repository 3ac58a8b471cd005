package revocation

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// The members of the document, and of its entries. docs/revocation.md is its page.
const (
	memberVersion  = "m2mguard_revocations"
	memberSequence = "sequence"
	memberEntries  = "entries"

	memberIssuer  = "issuer"
	memberAll     = "all"
	memberBlock   = "block"
	memberBefore  = "issued_before"
	memberExpires = "dangerously_expires"
	memberNote    = "note"
)

// version is the one that is read.
const version = "1"

// byMember are the members of which an entry has one, beside "all".
var byMember = map[string]func(issuer, value string) Target{
	"token_id":    TokenID,
	"client":      Client,
	"subject":     Subject,
	"key_id":      KeyID,
	"opaque_hash": OpaqueToken,
}

// document is what a file says is revoked.
type document struct {
	sequence uint64
	entries  []Entry
}

// faults are what is wrong with a document, or with an entry: the first few.
type faults []error

const mostFaults = 8

func (f *faults) add(format string, values ...any) {
	if len(*f) < mostFaults {
		*f = append(*f, fmt.Errorf(format, values...))
	}
}

// parse reads a document strictly: what is misspelt would else revoke nothing, and
// nobody would know. Its error holds the first few faults. In it, n is the place of an
// entry, from 1 on.
func parse(text []byte, most int) (d document, err error) {
	var faults faults
	fault := faults.add
	var entries strictjson.Value
	var versioned, numbered bool
	err = strictjson.Members(text, func(name string, value strictjson.Value) error {
		switch name {
		case memberVersion:
			if versioned = true; string(value) != version {
				fault("%s is not %s, which is the version that is read here", memberVersion, version)
			}
		case memberSequence:
			numbered = true
			if d.sequence = whole(value); d.sequence == 0 {
				fault("%s is no whole number from 1 to 2^53, wanted a higher one with each change", memberSequence)
			}
		case memberEntries:
			entries = value
		default:
			fault("there is a member %s, wanted %s, %s and %s alone", quote.Value(strings.Clone(name)), memberVersion, memberSequence, memberEntries)
		}
		return nil
	})
	if err != nil {
		_, place := jsontext.NewDecoder(bytes.NewReader(text)).ReadValue()
		if why := strictjson.Why(text, place); why != "" {
			return d, fmt.Errorf("it %w: %s", err, why)
		}
		return d, fmt.Errorf("it %w", err)
	}
	if !versioned {
		fault("%s is missing, wanted %s", memberVersion, version)
	}
	if !numbered {
		fault("%s is missing, wanted a whole number, and a higher one with each change", memberSequence)
	}
	switch elements, err := entries.Elements(most); {
	case entries == nil:
		fault("%s is missing, wanted an array; an empty one revokes nothing", memberEntries)
	case err != nil:
		fault("%s: %w (Config.MaxEntries is %d)", memberEntries, err, most)
	default:
		d.entries = make([]Entry, 0, len(elements))
		for n, element := range elements {
			e, err := parseEntry(element)
			if err != nil {
				fault("entry %d: %w", n+1, err)
			}
			d.entries = append(d.entries, e)
		}
	}
	return d, errors.Join(faults...)
}

// parseEntry reads one entry.
func parseEntry(object strictjson.Value) (e Entry, err error) {
	var faults faults
	fault := faults.add
	var issuer string
	var named int // members that say whose tokens it is about
	target := func(issuer string) Target { return Target{} }
	err = strictjson.Members(object, func(name string, value strictjson.Value) error {
		text, noText := value.String()
		text = strings.Clone(text)
		switch by := byMember[name]; {
		case by != nil:
			named++
			if noText != nil {
				fault("%s is no string", name)
			}
			target = func(issuer string) Target { return by(issuer, text) }
		case name == memberAll:
			named++
			if string(value) != "true" {
				fault("%s is not true, wanted true for everything of the issuer", memberAll)
			}
			target = Issuer
		case name == memberIssuer:
			if issuer = text; noText != nil {
				fault("%s is no string", name)
			}
		case name == memberBlock:
			if string(value) != "true" {
				fault("%s is not true; to lift it, take the whole entry out and raise %s", memberBlock, memberSequence)
			}
			e.verb += block
		case name == memberBefore:
			e.verb += issuedBefore
			e.at = date(fault, name, text)
		case name == memberExpires:
			e.expires = date(fault, name, text)
		case name == memberNote:
		default:
			fault("there is a member %s, wanted %s, one of token_id, client, subject, key_id, opaque_hash and %s, one of %s and %s, and no other but %s and %s",
				quote.Value(strings.Clone(name)), memberIssuer, memberAll, memberBlock, memberBefore, memberExpires, memberNote)
		}
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("it %w", err)
	}
	if e.verb != block && e.verb != issuedBefore {
		fault("wanted either %s, true until the entry is taken out, or %s, the time up to which tokens were issued", memberBlock, memberBefore)
	}
	if e.target = target(issuer); named != 1 {
		fault("it names %d targets, wanted one of token_id, client, subject, key_id, opaque_hash, or %s", named, memberAll)
	} else if err := e.target.check(); err != nil {
		fault("%w", err)
	}
	return e, errors.Join(faults...)
}

// date reads a time, which must say its zone.
func date(fault func(string, ...any), name, text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Unix() < 1 || at.Unix() >= Forever {
		fault("%s is %s, wanted a time such as \"2026-11-26T09:00:00Z\" (RFC 3339), from 1970 to 2106", name, quote.Value(text))
	}
	return at
}

// whole reads a number of digits alone, which any JSON library keeps; 0 for what is
// none.
func whole(value strictjson.Value) (n uint64) {
	const most = 1 << 53
	for _, c := range value {
		if c < '0' || c > '9' || n > most {
			return 0
		}
		n = 10*n + uint64(c-'0')
	}
	if n > most || len(value) > 0 && value[0] == '0' {
		return 0
	}
	return n
}
