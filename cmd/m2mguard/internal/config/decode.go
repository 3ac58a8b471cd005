package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/m2mguard/m2mguard/revocation"
)

// decoder fills Go values in from a YAML tree, and collects every fault.
type decoder struct {
	faults []error
	faulty []string // where those are, and what a misspelt key was meant to be
	// broken is how many faults left nothing behind that what they are part of could be
	// made with.
	broken int
	leave  []string // sections whose secrets are not read
	lines  places   // of each key, by where it stands
	// The fleet is made before anything that uses it; nil where it could not be.
	fleet      *Fleet
	fleetNamed bool
	list       *notes // of a list that a file fills
	dangers    []Danger
}

// decode fills v in. v keeps what a mapping does not name.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	d.lines[path] = n.Line
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.fault(n, path, "has an anchor or an alias, wanted the value itself, written out")
		return
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		d.fault(n, path, "has no value: wanted one, or the key left out")
		return
	}
	if shares[v.Type()] != nil && n.Kind == yaml.ScalarNode && n.Value == theFleet {
		d.share(n, v, path)
		return
	}
	if form, special := forms[v.Type()]; special {
		d.decodeForm(n, v, path, form)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.decode(n, v.Elem(), path)
	case reflect.Struct:
		d.decodeStruct(n, v, path)
	case reflect.Slice:
		d.decodeList(n, v, path)
	case reflect.Map:
		d.decodeMap(n, v, path)
	default:
		d.decodeScalar(n, v, path)
	}
}

// decodeForm decodes what stands for a Go value that YAML has no form for, and makes
// the value of it.
func (d *decoder) decodeForm(n *yaml.Node, v reflect.Value, path string, form form) {
	said := reflect.New(form.of).Elem()
	before := d.broken
	d.decode(n, said, path)
	d.dangers = append(d.dangers, dangers(said, path)...)
	if list, is := said.Addr().Interface().(*revocation.Config); is {
		list.Observer = d.list.observer()
	}
	if d.broken == before {
		made, err := form.make(said)
		if err == nil {
			v.Set(made)
			return
		}
		for _, err := range flatten(err) {
			d.faultIn(n, path, err.Error())
		}
	}
	if form.standIn.IsValid() {
		v.Set(form.standIn) // so that nobody reports as missing what is wrong
		d.broken = before   // and what it is part of can still be judged
	}
}

// entries lists a mapping's keys with their values. A key that stands twice is a fault,
// in which it is as shown says.
func (d *decoder) entries(n *yaml.Node, path string, shown func(key string) string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "is %s, wanted a mapping of keys to values", called(n))
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
			d.fault(key, path, "has a key that is no string")
			continue
		}
		if line, twice := seen[key.Value]; twice {
			d.fault(key, join(path, shown(key.Value)), "stands a second time, first in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		each(key, value)
	}
}

func (d *decoder) decodeStruct(n *yaml.Node, v reflect.Value, path string) {
	known := members(v.Type())
	d.prepare(n, v, path)
	shown := func(key string) string { return shownAmong(known, key) }
	d.entries(n, path, shown, func(key, value *yaml.Node) {
		i := slices.IndexFunc(known, func(m member) bool { return m.key == key.Value })
		if i < 0 {
			d.fault(key, join(path, shown(key.Value)), "is no key here: %s", wanted(key.Value, known))
			if meant := meant(key.Value, known); meant != "" {
				d.faulty = append(d.faulty, join(path, meant))
			}
			return
		}
		field := v.FieldByIndex(known[i].index)
		switch field.Interface().(type) {
		case Provider, *Fleet: // prepared
			return
		}
		if isOfFile(key.Value) && isContent(value.Value) {
			d.fault(value, join(path, key.Value), "is what a file holds, wanted the path of one that holds it")
			return
		}
		d.decode(value, field, join(path, key.Value))
	})
	if s, secret := v.Addr().Interface().(unreadable); secret && d.leaves(path) {
		s.leave()
	}
}

// leaves reports whether what is secret at this path is not read.
func (d *decoder) leaves(path string) bool {
	end := strings.IndexAny(path+".", ".[")
	return slices.Contains(d.leave, path[:end])
}

// prepare reads what other keys of a mapping go by, wherever in it that is named: the
// fleet, and the preset of an issuer's provider, which the other keys change.
func (d *decoder) prepare(n *yaml.Node, v reflect.Value, path string) {
	if f, ok := v.Addr().Interface().(*File); ok && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "fleet" && f.Fleet == nil {
				d.fleetNamed = true
				d.decode(n.Content[i+1], reflect.ValueOf(&f.Fleet).Elem(), "fleet")
				d.fleet = f.Fleet
			}
		}
	}
	iss, ok := v.Addr().Interface().(*Issuer)
	if !ok || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "provider" {
			at := join(path, "provider")
			before := len(d.faults)
			d.decode(n.Content[i+1], reflect.ValueOf(&iss.Provider).Elem(), at)
			preset, err := iss.Provider.issuer()
			switch {
			case err == nil:
				iss.Issuer = preset
			case len(d.faults) == before:
				d.fault(n.Content[i+1], at, "%v", err)
			}
		}
	}
}

func (d *decoder) decodeList(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.fault(n, path, "is %s, wanted a list, such as [a, b]", called(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, element := range n.Content {
		d.decode(element, list.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(list)
}

func (d *decoder) decodeMap(n *yaml.Node, v reflect.Value, path string) {
	v.Set(reflect.MakeMap(v.Type()))
	d.entries(n, path, shown, func(key, value *yaml.Node) {
		element := reflect.New(v.Type().Elem()).Elem()
		d.decode(value, element, join(path, shown(key.Value)))
		d.lines[join(path, strconv.Quote(key.Value))] = key.Line
		v.SetMapIndex(reflect.ValueOf(key.Value), element)
	})
}

func (d *decoder) decodeScalar(n *yaml.Node, v reflect.Value, path string) {
	mismatch := func(wanted string) { d.fault(n, path, "is %s, wanted %s", called(n), wanted) }
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		length, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			mismatch("a length of time with its unit, such as 30s, 5m or 1h30m")
			return
		}
		v.SetInt(int64(length))
	case v.Kind() == reflect.String:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
			mismatch(`a string: what YAML would take for something else stands in quotes, such as "123"`)
			return
		}
		v.SetString(n.Value)
	case v.Kind() == reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			mismatch("true or false")
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case v.CanInt():
		number, err := strconv.ParseInt(n.Value, 10, 64)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || v.OverflowInt(number) || number == math.MinInt64 {
			mismatch("a whole number in decimal digits")
			return
		}
		v.SetInt(number)
	default:
		panic("config: a field of type " + v.Type().String() + ", which no file can say; list it in inCode")
	}
}

// called is what kind of value a node is, in words; never what is in it.
func called(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!str":
		return "a string"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return "a value of another kind"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// errNoText is what a file without anything in it is.
var errNoText = errors.New("is empty, wanted at least issuers")
