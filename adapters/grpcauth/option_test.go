package grpcauth_test

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestFromOption reads the rules of the orders' .proto file, which guard as others do.
func TestFromOption(t *testing.T) {
	made, err := grpcauth.FromOption(protoregistry.GlobalFiles, ordersv1.E_Scopes, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for name, rule := range made {
		got[name] = rule.Needs()
	}
	want := map[string]string{list: "orders:read", watch: "orders:read", create: "orders:write", imports: "orders:read orders:write"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	iss := issuertest.New(t)
	cc := newAPI(t, grpcauth.New(newValidator(t, iss), made, nil), nil)
	for scope, want := range map[string]codes.Code{"orders:read orders:write": codes.OK, "orders:read": codes.PermissionDenied} {
		if got := ask(t, cc, imports, bearer(iss.Token(issuertest.Claims{Scope: scope}))); got.Code != want {
			t.Errorf("%q: %+v", scope, got)
		}
	}
}

// files are a registry with an option of some kind, and a service whose methods have it.
func files(t *testing.T, extends string, kind descriptorpb.FieldDescriptorProto_Type, values map[string]any) (*protoregistry.Files, protoreflect.ExtensionType) {
	t.Helper()
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("test.proto"), Package: proto.String("test.v1"), Syntax: proto.String("proto3"),
		Dependency:  []string{"google/protobuf/descriptor.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Empty")}},
		Extension: []*descriptorpb.FieldDescriptorProto{{
			Name: proto.String("needs"), Number: proto.Int32(50002), Extendee: proto.String(extends), Type: &kind,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Tests")}},
	}
	build := func() protoreflect.FileDescriptor {
		made, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	option := dynamicpb.NewExtensionType(build().Extensions().Get(0))
	for name, value := range values {
		options := new(descriptorpb.MethodOptions)
		if value != nil {
			proto.SetExtension(options, option, value)
		}
		file.Service[0].Method = append(file.Service[0].Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String(name), InputType: proto.String(".test.v1.Empty"), OutputType: proto.String(".test.v1.Empty"), Options: options,
		})
	}
	all := new(protoregistry.Files)
	if err := all.RegisterFile(build()); err != nil {
		t.Fatal(err)
	}
	return all, option
}

// TestOptionsOfOtherKinds are read by a function; what makes no rule is a fault, each named.
func TestOptionsOfOtherKinds(t *testing.T) {
	const methodOptions = ".google.protobuf.MethodOptions"
	all, option := files(t, methodOptions, descriptorpb.FieldDescriptorProto_TYPE_STRING, map[string]any{"A": "a", "B": "b c", "C": "", "D": nil})
	_, err := grpcauth.FromOption(all, option, nil)
	if err == nil || !strings.Contains(err.Error(), `/test.v1.Tests/B: the option test.v1.needs: "b c" is no scope`) || !strings.Contains(err.Error(), "/test.v1.Tests/C: ") || strings.Contains(err.Error(), "Tests/D") {
		t.Errorf("%v", err)
	}
	made, err := grpcauth.FromOption(all, option, func(v protoreflect.Value) (scopes.Rule, error) {
		return scopes.Any(append([]string{"admin"}, strings.Fields(v.String())...)...), nil
	})
	if err != nil || len(made) != 3 || fmt.Sprint(made["/test.v1.Tests/B"].Names()) != "[admin b c]" {
		t.Errorf("%v, %v", made, err)
	}
	all, option = files(t, methodOptions, descriptorpb.FieldDescriptorProto_TYPE_BOOL, map[string]any{"A": true})
	if _, err := grpcauth.FromOption(all, option, nil); err == nil || !strings.Contains(err.Error(), "of the kind bool, wanted string") {
		t.Errorf("%v", err)
	}
	if made, err := grpcauth.FromOption(all, option, func(protoreflect.Value) (scopes.Rule, error) { return scopes.AnyToken(), nil }); err != nil || len(made) != 1 {
		t.Errorf("%v, %v", made, err)
	}
	all, option = files(t, methodOptions, descriptorpb.FieldDescriptorProto_TYPE_STRING, map[string]any{"A": nil})
	if made, err := grpcauth.FromOption(all, option, nil); made != nil || err == nil || !strings.Contains(err.Error(), "no method in files has the option test.v1.needs") {
		t.Errorf("%v, %v", made, err)
	}
	all, option = files(t, ".google.protobuf.ServiceOptions", descriptorpb.FieldDescriptorProto_TYPE_STRING, nil)
	if _, err := grpcauth.FromOption(all, option, nil); err == nil || !strings.Contains(err.Error(), "wanted an option of methods") {
		t.Errorf("%v", err)
	}
}
