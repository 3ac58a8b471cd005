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
