//go:build interop

package connectauth_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/internal/trials/conformance"
)

// TestConformanceOfNode: the clients of @connectrpc/connect-node read the verdicts and
// reasons of all adapters, in each protocol, unary and in streams.
func TestConformanceOfNode(t *testing.T) {
	for _, p := range []struct {
		name, protocol string
		get, stream    bool
	}{
		{"Connect", "connect", false, false}, {"Connect by GET", "connect", true, false}, {"Connect, streams", "connect", false, true},
		{"gRPC", "grpc", false, false}, {"gRPC, streams", "grpc", false, true},
		{"gRPC-Web", "grpc-web", false, false}, {"gRPC-Web, streams", "grpc-web", false, true},
	} {
		t.Run(p.name, func(t *testing.T) {
			conformance.Run(t, nodeDriver{startNode(t), nodeCall{Protocol: p.protocol, Get: p.get}, p.stream})
		})
	}
}

// nodeDriver asks with a program in Node.
type nodeDriver struct {
	program *program
	call    nodeCall
	stream  bool
}

// nodeCall is what the program is asked.
type nodeCall struct {
	Descriptors []byte      `json:"descriptors,omitempty"`
	Protocol    string      `json:"protocol,omitempty"`
	Get         bool        `json:"get,omitempty"`
	Base        string      `json:"base,omitempty"`
	Service     string      `json:"service,omitempty"`
	Method      string      `json:"method,omitempty"`
	Headers     [][2]string `json:"headers,omitempty"`
	CA          string      `json:"ca,omitempty"`
	Certificate string      `json:"cert,omitempty"`
	Key         string      `json:"key,omitempty"`
}

// nodeAnswer is what it answers.
type nodeAnswer struct {
	Code                            uint32
	Message, Challenge, Nonce, Said string
	Details                         []struct {
		Type  string
		Value []byte
	}
}

// Can leaves out what fetch's Headers joins to one line, or takes for none.
func (d nodeDriver) Can(q *conformance.Request) bool {
	return driver{}.Can(q) && q.Plain() && len(q.Authorization) < 2 && len(q.Proofs) < 2
}

func (d nodeDriver) Serve(t testing.TB, s *conformance.Setup) conformance.API {
	server := httptest.NewUnstartedServer(guarded(s, d.stream))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	d.program.tell(t, nodeCall{Descriptors: descriptors(t, s.Routes, d.stream)})
	d.call.Base, d.call.CA = server.URL, pemOf("CERTIFICATE", server.Certificate().Raw)
	return &nodeAPI{d, s.PublicURL}
}

// descriptors are those of the list's services, and of what they use.
func descriptors(t testing.TB, routes []conformance.Route, stream bool) []byte {
	t.Helper()
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("conformance.proto"), Package: proto.String("conformance.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/empty.proto", "google/protobuf/wrappers.proto"},
	}
	for _, route := range routes {
		name := strings.TrimPrefix(route.Service(), "conformance.v1.")
		n := slices.IndexFunc(file.Service, func(s *descriptorpb.ServiceDescriptorProto) bool { return s.GetName() == name })
		if n < 0 {
			n = len(file.Service)
			file.Service = append(file.Service, &descriptorpb.ServiceDescriptorProto{Name: proto.String(name)})
		}
		file.Service[n].Method = append(file.Service[n].Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String(route.ProcedureName()), InputType: proto.String(".google.protobuf.Empty"), OutputType: proto.String(".google.protobuf.StringValue"),
			ServerStreaming: proto.Bool(stream), Options: &descriptorpb.MethodOptions{IdempotencyLevel: descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()},
		})
	}
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(emptypb.File_google_protobuf_empty_proto), protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto), file,
	}}
	text, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

type nodeAPI struct {
	nodeDriver
	publicURL string
}

func (a *nodeAPI) Target(q *conformance.Request) (method, url string) {
	if method = "POST"; a.call.Get {
		method = "GET"
	}
	return method, a.publicURL + q.Route.Procedure()
}

func (a *nodeAPI) Ask(t testing.TB, q *conformance.Request) conformance.Answer {
	t.Helper()
	call := a.call
	call.Service, call.Method = q.Route.Service(), q.Route.ProcedureName()
	for _, line := range q.Authorization {
		call.Headers = append(call.Headers, [2]string{"authorization", line})
	}
	for _, line := range q.Proofs {
		call.Headers = append(call.Headers, [2]string{"dpop", line})
	}
	if q.Certificate != nil {
		key, err := x509.MarshalPKCS8PrivateKey(q.Certificate.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		call.Certificate, call.Key = pemOf("CERTIFICATE", q.Certificate.Certificate[0]), pemOf("PRIVATE KEY", key)
	}
	a.program.tell(t, call)
	var got nodeAnswer
	a.program.hear(t, &got)
	answer := conformance.Answer{Code: got.Code, Sentence: got.Message, Challenge: got.Challenge, Nonce: got.Nonce, Said: got.Said}
	for _, detail := range got.Details {
		var info errdetails.ErrorInfo
		var retry errdetails.RetryInfo
		switch {
		case detail.Type == "google.rpc.ErrorInfo" && proto.Unmarshal(detail.Value, &info) == nil:
			answer.Error = strings.ToLower(info.GetReason())
		case detail.Type == "google.rpc.RetryInfo" && proto.Unmarshal(detail.Value, &retry) == nil:
			answer.Retry = retry.GetRetryDelay().AsDuration()
		}
	}
	return answer
}

// program is one in Node, which answers line by line.
type program struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func startNode(t *testing.T) *program {
	t.Helper()
	if _, err := os.Stat("testdata/node/node_modules"); err != nil {
		t.Fatal("testdata/node: npm ci comes first: ", err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/node/client.mjs")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // which the end of the test may have killed
	})
	return &program{in, bufio.NewReader(out)}
}

func (p *program) tell(t testing.TB, what any) {
	t.Helper()
	if err := json.NewEncoder(p.in).Encode(what); err != nil {
		t.Fatal(err)
	}
}

func (p *program) hear(t testing.TB, what any) {
	t.Helper()
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, what)
	}
	if err != nil {
		t.Fatal(err)
	}
}
