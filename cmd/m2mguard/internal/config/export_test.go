package config

import "reflect"

// Tables of this package that tests hold against the library.
var (
	Docs   = docs
	InCode = inCode
	KeyOf  = keyOf
)

// SchemaOf is the schema of one type.
func SchemaOf(t reflect.Type) map[string]any { return schema(t) }

// ProviderKeys lists the keys of an issuer's provider.
func ProviderKeys() (keys []string) {
	for _, m := range members(reflect.TypeFor[Provider]()) {
		keys = append(keys, m.key)
	}
	return keys
}
