package config

import (
	"reflect"
	"time"
)

// Schema is the JSON Schema (draft 2020-12) of the file, made of the structs that the
// file is read into.
func Schema() map[string]any {
	s := schema(reflect.TypeFor[File]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "m2mguard"
	s["description"] = "What validator.Config says, and what the commands of m2mguard need beside it."
	s["required"] = []string{"issuers"}
	return s
}

// length is what time.ParseDuration reads.
const length = `^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))*$`

func schema(t reflect.Type) map[string]any {
	form, special := forms[t]
	if special && shares[t] != nil && form.words == nil {
		return map[string]any{"anyOf": []any{map[string]any{"const": theFleet}, schema(form.of)}}
	}
	if special {
		if form.words != nil {
			return map[string]any{"enum": form.words}
		}
		return schema(form.of)
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return map[string]any{"type": "string", "pattern": length}
	case t.Kind() == reflect.Pointer:
		return schema(t.Elem())
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": schema(t.Elem())}
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schema(t.Elem())}
	case t.Kind() == reflect.Struct:
		properties := make(map[string]any)
		for _, m := range members(t) {
			p := schema(m.typ)
			p["description"] = m.doc
			properties[m.key] = p
		}
		object := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
		if t == reflect.TypeFor[Provider]() || t == reflect.TypeFor[written]() {
			object["minProperties"], object["maxProperties"] = 1, 1
		}
		return object
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.String:
		return map[string]any{"type": "string"}
	}
	return map[string]any{"type": "integer"}
}
