package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
)

// mostKeys is how many keys of a set are told one by one.
const mostKeys = 50

// keys tells how the key set of Issuers[n] was found and every key of it, with why one
// is skipped.
func (e *examination) keys(n int, iss validator.Issuer, r *recorder, ready error) {
	field, wanted := "url", iss.URL
	if iss.Keys.Issuer != "" {
		field, wanted = "keys.issuer", iss.Keys.Issuer
	}
	var set []byte
	spell := "" // what to do about documents of an issuer that is called otherwise
	for _, x := range r.all() {
		if named := issuerOf(x.body); x.status == http.StatusOK && isDocument(x.url) && named != "" {
			if named == wanted {
				e.note(Good, iss.URL, "discovery", fmt.Sprintf("%s answers after %d ms", x.url, x.took.Milliseconds()), "")
			} else if ready != nil { // else another document is the issuer's
				spell = fmt.Sprintf("set %s to %.300q, byte for byte, if that is whose tokens you take; else the address leads elsewhere", field, named)
				e.note(Bad, iss.URL, "discovery", fmt.Sprintf("%s names issuer %.300q, wanted %.300q", x.url, named, wanted), spell)
			}
		}
		if x.status == http.StatusOK && x.body != nil && isKeySet(x.body.Bytes()) {
			set = x.body.Bytes()
		}
	}
	switch {
	case ready == nil:
		e.note(Good, iss.URL, "key set", "can be used", "")
	case spell != "":
		e.note(Bad, iss.URL, "key set", ready.Error(), spell)
	case set != nil:
		e.note(Bad, iss.URL, "key set", ready.Error(), "have the issuer publish a key for one of the issuer's algorithms, or list in algorithms what it signs with")
	case iss.Keys.File != "":
		do := fmt.Errorf("issuers[%d].keys.file must name a file that is there, can be read, and holds a key set", n)
		found := strings.ReplaceAll(ready.Error(), "jwks.Config.File", fmt.Sprintf("issuers[%d].keys.file", n)) // as the file has it
		e.note(Bad, iss.URL, "key set", found, e.file.Locate(do).Error())
	default:
		e.note(Bad, iss.URL, "key set", ready.Error(), keysDo)
	}
	switch {
	case iss.Keys.Set != nil:
		set = iss.Keys.Set
	case iss.Keys.File != "":
		set, _ = os.ReadFile(iss.Keys.File) // Ready has said what is wrong with it
	}
	e.each(iss, set)
}

// issuerOf is the issuer that a document names; empty for what is no metadata.
func issuerOf(body *bytes.Buffer) string {
	var document struct {
		Issuer string `json:"issuer"`
	}
	if body == nil || json.Unmarshal(body.Bytes(), &document) != nil {
		return ""
	}
	return document.Issuer
}

// keySet is a set as it came, key by key.
type keySet struct {
	Keys []json.RawMessage `json:"keys"`
}

func isKeySet(body []byte) bool {
	var set keySet
	return json.Unmarshal(body, &set) == nil && set.Keys != nil
}

// each has the library read each key as if it were alone, which says what is wrong
// with it and with nothing else. Then it reads the set as a whole, for what two keys do
// to each other.
func (e *examination) each(iss validator.Issuer, text []byte) {
	var set keySet
	if json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &set) != nil {
		return // PEM, whose keys have no names, or what Ready has called no set
	}
	alone := make(map[string]bool) // what was said already
	for n, key := range set.Keys {
		if n == mostKeys {
			e.note(Doubtful, iss.URL, "keys", fmt.Sprintf("and %d more", len(set.Keys)-n), "an issuer has a handful of keys: is this its set?")
			break
		}
		name := named(key)
		reason := unusable(iss, key)
		if reason != nil {
			alone[kid(key)] = true
		}
		e.key(iss.URL, name, reason)
	}
	var together []observe.Event
	cfg := reading(iss, text)
	cfg.Observer = observe.Observer{Event: func(_ context.Context, event *observe.Event) { together = append(together, *event) }}
	if s, err := jwks.New(cfg); err == nil {
		s.Close()
	}
	for _, event := range together {
		if event.Kind == observe.KeySkipped && event.KeyID != "" && !alone[event.KeyID] {
			e.key(iss.URL, fmt.Sprintf("kid %.60q", event.KeyID), event.Err)
		}
	}
}

func (e *examination) key(issuer, name string, reason error) {
	switch {
	case reason == nil:
		e.note(Good, issuer, "key", name, "")
	case errors.Is(reason, jwks.ErrNotForUs):
		e.note(Good, issuer, "key", name+" is passed over: "+reason.Error(), "")
	default:
		e.note(Doubtful, issuer, "key", name+" is skipped: "+reason.Error(), "its tokens are refused: have the issuer publish it rightly, or take it out")
	}
}

// reading is how the issuer's keys are read, from a fixed set.
func reading(iss validator.Issuer, set []byte) jwks.Config {
	cfg := jwks.Config{Set: set, Algorithms: iss.Keys.Algorithms, Use: iss.Keys.Use}
	if cfg.Algorithms == nil {
		cfg.Algorithms = iss.Algorithms
	}
	if cfg.Algorithms == nil {
		cfg.Algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"} // validator.Issuer's default
	}
	return cfg
}

// unusable says why a key cannot be used; nil if it can.
func unusable(iss validator.Issuer, key json.RawMessage) error {
	set, err := json.Marshal(keySet{[]json.RawMessage{key}})
	if err != nil {
		return err
	}
	s, err := jwks.New(reading(iss, set))
	if err != nil {
		return shortened{err}
	}
	s.Close()
	return nil
}

// shortened is an error about a set of one key, in words about the key.
type shortened struct{ error }

func (s shortened) Error() string {
	text := s.error.Error()
	for _, preamble := range []string{"jwks: Config.Set: ", "the only key of the set cannot be used: "} {
		text = strings.TrimPrefix(text, preamble)
	}
	return text
}

func (s shortened) Unwrap() error { return s.error }

func kid(key json.RawMessage) string {
	var k struct {
		ID string `json:"kid"`
	}
	_ = json.Unmarshal(key, &k) // a key without one
	return k.ID
}

// named is a key as a line calls it: by its kid, type and algorithm, and by nothing
// that is key material.
func named(key json.RawMessage) string {
	var k struct {
		ID        string `json:"kid"`
		Type      string `json:"kty"`
		Curve     string `json:"crv"`
		Algorithm string `json:"alg"`
	}
	_ = json.Unmarshal(key, &k) // what cannot be read is not said
	name := "without a kid"
	if k.ID != "" {
		name = fmt.Sprintf("kid %.60q", k.ID)
	}
	for _, part := range []string{k.Type, k.Curve, k.Algorithm} {
		if part != "" {
			name += fmt.Sprintf(", %.20s", part)
		}
	}
	return name
}
