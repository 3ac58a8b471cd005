package grpcauth

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/m2mguard/m2mguard/scopes"
)

// FromOption makes the rules of all methods in files that have this option set, an
// extension of google.protobuf.MethodOptions of the user's own:
//
//	import "google/protobuf/descriptor.proto";
//	extend google.protobuf.MethodOptions { repeated string scopes = 50001; }
//	…
//	rpc List(ListRequest) returns (ListResponse) { option (scopes) = "orders:read"; }
//
//	rules, err := grpcauth.FromOption(protoregistry.GlobalFiles, ordersv1.E_Scopes, nil)
//
// A nil rule is for options of the kind string, repeated or not: each value is one scope,
// and a token needs all of them. For an option of another kind, rule reads its value. A
// method without the option gets no rule, so nobody may call it. The error names every
// method whose option makes no rule, and says so if no method has the option at all.
func FromOption(files *protoregistry.Files, option protoreflect.ExtensionType, rule func(protoreflect.Value) (scopes.Rule, error)) (Rules, error) {
	descriptor := option.TypeDescriptor()
	if descriptor.ContainingMessage().FullName() != "google.protobuf.MethodOptions" {
		return nil, fmt.Errorf("grpcauth: FromOption: %s extends %s, wanted an option of methods, of google.protobuf.MethodOptions", descriptor.FullName(), descriptor.ContainingMessage().FullName())
	}
	if rule == nil {
		if descriptor.Kind() != protoreflect.StringKind || descriptor.IsMap() {
			return nil, fmt.Errorf("grpcauth: FromOption: the option %s is of the kind %s, wanted string, or a function that reads it", descriptor.FullName(), descriptor.Kind())
		}
		rule = allOf
	}
	rules := make(Rules)
	var faults []error
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for s := range file.Services().Len() {
			methods := file.Services().Get(s).Methods()
			for n := range methods.Len() {
				method := methods.Get(n)
				if !proto.HasExtension(method.Options(), option) {
					continue
				}
				name := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
				made, err := rule(method.Options().ProtoReflect().Get(descriptor))
				if err != nil {
					faults = append(faults, fmt.Errorf("grpcauth: FromOption: %s: the option %s: %w", name, descriptor.FullName(), err))
					continue
				}
				rules[name] = made
			}
		}
		return true
	})
	if len(rules) == 0 && len(faults) == 0 {
		return nil, fmt.Errorf("grpcauth: FromOption: no method in files has the option %s: wanted it on the methods, the package that is made of their .proto file imported, and options that were read with this extension known", descriptor.FullName())
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return rules, nil
}

// allOf asks for each value of an option of strings.
func allOf(value protoreflect.Value) (scopes.Rule, error) {
	var names []string
	switch v := value.Interface().(type) {
	case string:
		names = append(names, v)
	case protoreflect.List:
		for n := range v.Len() {
			names = append(names, v.Get(n).String())
		}
	}
	for _, name := range names {
		if !scopes.Valid(name) {
			return scopes.Rule{}, fmt.Errorf("%q is no scope, wanted one for each value (RFC 6749 §3.3)", name)
		}
	}
	return scopes.All(names...), nil
}
