package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Danger is an opt-out that is set: a field that begins with Dangerously.
type Danger struct {
	Path  string // where, such as issuers[0].keys.dangerouslyAllowHTTP
	Field string // which field of the library's that is, as "go doc" takes it
}

// Dangers lists the opt-outs that the file, or a provider's preset in it, has set.
func (f *File) Dangers() []Danger {
	all := dangers(reflect.ValueOf(f.Config.Issuers), "issuers")
	v := reflect.ValueOf(f).Elem()
	for _, m := range members(v.Type()) {
		if m.key != "issuers" { // those of Config, which are made of them
			all = append(all, dangers(v.FieldByIndex(m.index), m.key)...)
		}
	}
	return append(all, f.made...)
}

// dangers lists what is set in v, which stands at path. What a file says in another form
// is left out: decodeForm has looked at it before the value was made.
func dangers(v reflect.Value, path string) (all []Danger) {
	if _, special := forms[v.Type()]; special {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return dangers(v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, dangers(v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
	case reflect.Map:
		elements := make(map[string]reflect.Value)
		for key, element := range v.Seq2() {
			elements[key.String()] = element
		}
		for _, key := range slices.Sorted(maps.Keys(elements)) {
			all = append(all, dangers(elements[key], join(path, shown(key)))...)
		}
	case reflect.Struct:
		for _, m := range members(v.Type()) {
			field := v.FieldByIndex(m.index)
			switch {
			case !strings.HasPrefix(m.key, "dangerously"):
				all = append(all, dangers(field, join(path, m.key))...)
			case field.Bool():
				last := len(m.index) - 1
				owner := v.FieldByIndex(m.index[:last]).Type()
				all = append(all, Danger{join(path, m.key), calledInGo(owner) + "." + owner.Field(m.index[last]).Name})
			}
		}
	}
	return all
}

// calledInGo is a struct's name in the library.
func calledInGo(t reflect.Type) string {
	if t == reflect.TypeFor[Rule]() {
		return "httpauth.Gate"
	}
	return t.String()
}
