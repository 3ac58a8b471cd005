//go:build interop

package grpcauth_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/m2mguard/m2mguard/internal/trials/conformance"
)

// TestConformanceOfNode is TestConformance with @grpc/grpc-js, which needs npm ci in
// testdata/node before.
func TestConformanceOfNode(t *testing.T) {
	for name, streams := range map[string]bool{"unary": false, "streams": true} {
		t.Run(name, func(t *testing.T) {
			conformance.Run(t, fromNode{conforms{streams: streams, by: func(t testing.TB, address string, certificate *tls.Certificate) asker {
				return inNode(t, address, certificate, streams)
			}}})
		})
	}
}

// fromNode is conforms for a client whose HTTP/2 sends no second authorization field.
type fromNode struct{ conforms }

func (n fromNode) Can(q *conformance.Request) bool {
	return n.conforms.Can(q) && len(q.Authorization) < 2
}

// came is what client.js says of a call.
type came struct {
	Header, Trailer metadata.MD
	Message         []byte
	Code            codes.Code
	Details, Fault  string
	Status          []byte
}

// inNode is a client in Node, as inGo is one in Go.
func inNode(t testing.TB, address string, certificate *tls.Certificate, streams bool) asker {
	cmd := exec.Command("node", "testdata/node/client.js")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	tell := func(t testing.TB, told map[string]any) {
		t.Helper()
		line, err := json.Marshal(told)
		if err == nil {
			_, err = in.Write(append(line, '\n'))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	server := map[string]any{"address": address, "tls": certificate != nil}
	if certificate != nil && certificate.Certificate != nil {
		key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		server["key"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
		server["cert"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
	}
	tell(t, server)
	lines := bufio.NewReader(out)
	return func(t testing.TB, procedure string, md metadata.MD) conformance.Answer {
		t.Helper()
		pairs := [][2]string{}
		for name, values := range md {
			for _, value := range values {
				pairs = append(pairs, [2]string{name, value})
			}
		}
		tell(t, map[string]any{"procedure": procedure, "streams": streams, "metadata": pairs})
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var got came
		if err := json.Unmarshal(line, &got); err != nil || got.Fault != "" {
			t.Fatalf("%s, %v", line, err)
		}
		answer := conformance.Answer{Code: uint32(got.Code)}
		if got.Code == codes.OK {
			var said wrapperspb.StringValue
			if err := proto.Unmarshal(got.Message, &said); err != nil {
				t.Error(err)
			}
			answer.Said = said.Value
			answer.Nonce = strings.Join(got.Header.Get("dpop-nonce"), "\n")
			return answer
		}
		var details spb.Status
		if err := proto.Unmarshal(got.Status, &details); err != nil || details.Code != int32(got.Code) || details.Message != got.Details {
			t.Errorf("%+v: %v", got, err)
		}
		r := read(t, status.FromProto(&details).Err(), got.Header, got.Trailer, "")
		answer.Error, answer.Sentence = strings.ToLower(r.Reason), r.Message
		answer.Challenge, answer.Nonce, answer.Retry = strings.Join(r.Challenge, "\n"), strings.Join(r.Nonce, "\n"), r.Retry
		return answer
	}
}
