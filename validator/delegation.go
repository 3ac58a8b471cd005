package validator

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// Actor is who acts for a token's subject (RFC 8693 §4.1), as the claim act names
// him. What it does not say is empty.
type Actor struct {
	Issuer   string // iss: whose name Subject is, where that is another than the token's
	Subject  string // sub
	ClientID string // client_id
}

// AuthorizationDetail is one element of the claim authorization_details (RFC 9396
// §2), by the members that all types have in common (§2.2). What it does not hold is
// empty, and whether that means nothing or everything is for its type to say.
type AuthorizationDetail struct {
	Type       string
	Locations  []string
	Actions    []string
	DataTypes  []string // datatypes
	Identifier string
	Privileges []string
}

// Bounds of what is read of a delegation.
const (
	maxActorBytes = 4 << 10
	maxActorDepth = 8 // of act within act, which is history
	maxDetails    = 128
)

// delegation is what a token says beside whose it is and what it grants: read once,
// when it was proven. Whatever is wrong with it refuses no token, and is told to
// whoever asks for it.
type delegation struct {
	actor      Actor
	noActor    error
	details    []AuthorizationDetail
	noDetails  error
	hasDetails bool
	hasActor   bool
}

// delegation reads act and authorization_details; nil if there is neither.
func (c *claims) delegation() *delegation {
	if c.act == nil && c.details == nil {
		return nil
	}
	d := &delegation{hasActor: c.act != nil, hasDetails: c.details != nil}
	if d.hasActor {
		d.actor, d.noActor = readActor(c.act)
	}
	if d.hasDetails {
		d.details, d.noDetails = readDetails(c.details)
	}
	return d
}

// Actor is who acts for the subject: the outermost act (RFC 8693 §4.1), which alone
// may count for a decision; those within it are history, for Token.Claim ("/act/act").
// The error matches ErrNoClaim if nobody acts for the subject. Any other says that the
// claim names its actor by neither sub nor client_id, has another form, more than 4 KiB
// or more than 8 actors, and such a token is not to be taken for its subject's own.
func (t *Token) Actor() (Actor, error) {
	switch d, err := t.delegation(); {
	case err != nil:
		return Actor{}, err
	case d == nil || !d.hasActor:
		return Actor{}, fmt.Errorf("validator: %w: act", ErrNoClaim)
	case d.noActor != nil:
		return Actor{}, d.noActor
	default:
		return d.actor, nil
	}
}

// AuthorizationDetails is a copy of what the token grants in detail (RFC 9396 §9), in
// its order; what an element holds beside the common members is for Token.Claim
// ("/authorization_details/0"). The error matches ErrNoClaim if there is no such claim.
// Any other says that it is no array of at most 128 objects, each with a type and with
// common members of their form.
func (t *Token) AuthorizationDetails() ([]AuthorizationDetail, error) {
	d, err := t.delegation()
	switch {
	case err != nil:
		return nil, err
	case d == nil || !d.hasDetails:
		return nil, fmt.Errorf("validator: %w: authorization_details", ErrNoClaim)
	case d.noDetails != nil:
		return nil, d.noDetails
	}
	details := slices.Clone(d.details)
	for i := range details {
		for _, list := range details[i].lists() {
			*list = slices.Clone(*list)
		}
	}
	return details, nil
}

func (t *Token) delegation() (*delegation, error) {
	if t.none() {
		return nil, errors.New("validator: " + noToken)
	}
	return t.there().delegation, nil
}

func (d *AuthorizationDetail) lists() []*[]string {
	return []*[]string{&d.Locations, &d.Actions, &d.DataTypes, &d.Privileges}
}

// readActor reads a claim of a text that was walked over before.
func readActor(act strictjson.Value) (a Actor, err error) {
	switch {
	case len(act) > maxActorBytes:
		return Actor{}, fmt.Errorf("validator: claim act has %d bytes, wanted at most %d", len(act), maxActorBytes)
	case act[0] != '{':
		return Actor{}, errors.New("validator: claim act is no object (RFC 8693 §4.1)")
	}
	depth := 1
	for inner := act.Find("act"); inner != nil; inner = inner.Find("act") {
		if depth++; depth > maxActorDepth {
			return Actor{}, fmt.Errorf("validator: claim act holds more than %d actors", maxActorDepth)
		}
	}
	names := [...]string{"iss", "sub", "client_id"}
	var values [len(names)]strictjson.Value
	act.Pick(names[:], values[:])
	for n, to := range []*string{&a.Issuer, &a.Subject, &a.ClientID} {
		if values[n] == nil {
			continue
		}
		if *to, err = values[n].String(); err != nil {
			return Actor{}, fmt.Errorf("validator: claim act: %s %w", names[n], err)
		}
	}
	if a.Subject == "" && a.ClientID == "" {
		return Actor{}, errors.New("validator: claim act names its actor by neither sub nor client_id")
	}
	return a, nil
}

// readDetails reads a claim of a text that was walked over before.
func readDetails(claim strictjson.Value) (details []AuthorizationDetail, err error) {
	elements, err := claim.Elements(maxDetails)
	if err != nil {
		return nil, fmt.Errorf("validator: claim authorization_details %w (RFC 9396 §2)", err)
	}
	details = make([]AuthorizationDetail, len(elements))
	for n, element := range elements {
		if err := details[n].read(element); err != nil {
			return nil, fmt.Errorf("validator: claim authorization_details: element %d %w (RFC 9396 §2)", n, err)
		}
	}
	return details, nil
}

var (
	errNoObject = errors.New("is no object")
	errNoType   = errors.New("has no type")
)

func (d *AuthorizationDetail) read(element strictjson.Value) (err error) {
	if element[0] != '{' {
		return errNoObject
	}
	names := [...]string{"type", "identifier", "locations", "actions", "datatypes", "privileges"}
	var values [len(names)]strictjson.Value
	element.Pick(names[:], values[:])
	for n, to := range []*string{&d.Type, &d.Identifier} {
		if values[n] == nil {
			continue
		}
		if *to, err = values[n].String(); err != nil {
			return fmt.Errorf("has a member %s that %w", names[n], err)
		}
	}
	if d.Type == "" {
		return errNoType
	}
	for n, list := range d.lists() {
		value := values[n+2]
		if value == nil {
			continue
		}
		if value[0] != '[' { // a string alone is no list here
			return fmt.Errorf("has a member %s that is no array", names[n+2])
		}
		if *list, err = value.Strings(nil); err != nil {
			return fmt.Errorf("has a member %s that %w", names[n+2], err)
		}
	}
	return nil
}

// size is about how many bytes d takes beside the claims.
func (d *delegation) size() int {
	if d == nil {
		return 0
	}
	n := int(unsafe.Sizeof(*d)) + cap(d.details)*int(unsafe.Sizeof(AuthorizationDetail{}))
	for i := range d.details {
		for _, list := range d.details[i].lists() {
			n += stringHeader * cap(*list)
		}
	}
	return n
}
