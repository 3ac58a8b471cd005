// A client of connect-node, as the test beside asks for it: a JSON object a line on
// standard input says what to call, one on standard output what came of it.
import { createInterface } from "node:readline";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { EmptySchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";

const makers = { connect: createConnectTransport, grpc: createGrpcTransport, "grpc-web": createGrpcWebTransport };
const transports = new Map();
let registry;

function transportOf(q) {
  const key = JSON.stringify([q.protocol, q.get, q.base, q.cert]);
  if (!transports.has(key)) {
    transports.set(key, makers[q.protocol]({
      baseUrl: q.base,
      httpVersion: "2",
      useHttpGet: q.get,
      nodeOptions: { ca: q.ca, cert: q.cert, key: q.key },
    }));
  }
  return transports.get(key);
}

async function ask(q) {
  const service = registry.getService(q.service);
  const method = service.methods.find((m) => m.name === q.method);
  const call = createClient(service, transportOf(q))[method.localName];
  const answer = { code: 0, said: "", nonce: "" };
  const options = {
    headers: q.headers,
    onHeader(headers) {
      answer.nonce = headers.get("dpop-nonce") ?? "";
    },
  };
  try {
    if (method.methodKind === "unary") {
      answer.said = (await call(create(EmptySchema), options)).value;
    } else {
      for await (const message of call(create(EmptySchema), options)) {
        answer.said += message.value;
      }
    }
  } catch (thrown) {
    const failed = ConnectError.from(thrown);
    answer.code = failed.code;
    answer.said = "";
    answer.message = failed.rawMessage;
    answer.challenge = failed.metadata.get("www-authenticate") ?? "";
    answer.nonce = failed.metadata.get("dpop-nonce") ?? "";
    answer.details = failed.details.map((d) => ({ type: d.type, value: Buffer.from(d.value).toString("base64") }));
  }
  return answer;
}

for await (const line of createInterface({ input: process.stdin })) {
  const q = JSON.parse(line);
  if (q.descriptors) {
    registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(q.descriptors, "base64")));
    continue;
  }
  process.stdout.write(JSON.stringify(await ask(q)) + "\n");
}
process.exit(0); // whatever connections are open
