// Package config reads the program's file: YAML that says what validator.Config says,
// and what the commands need beside it.
//
// A key is the name of the Go field with a small first letter: Config.MaxTokenBytes is
// maxTokenBytes. The fields are found by reflection in the structs themselves, and
// fields.go says what each means; so the file, its JSON Schema and the library cannot
// come to differ. What a file cannot say, such as a function, is listed there as well.
//
// Reading is strict. Unknown keys, values of another kind, anchors and second documents
// are faults; all of them are reported at once, each with its line. No fault quotes a
// value, because somebody may have written a secret where it does not belong.
package config
