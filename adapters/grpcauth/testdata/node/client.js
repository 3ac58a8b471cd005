// A gRPC client that does what it is told, a line of JSON for each: first where the server
// is, then calls. It answers each with a line of what came back.
import * as grpc from '@grpc/grpc-js';
import { createInterface } from 'node:readline';

const nothing = Buffer.alloc(0); // an empty message of whatever type
const asIs = (bytes) => bytes;

function connect({ address, tls, key, cert }) {
  if (!tls) {
    return new grpc.Client(address, grpc.credentials.createInsecure());
  }
  const pem = (text) => (text ? Buffer.from(text) : null);
  return new grpc.Client(address, grpc.credentials.createSsl(null, pem(key), pem(cert), {
    rejectUnauthorized: false, // of a loopback connection
    checkServerIdentity: () => undefined,
  }), { 'grpc.ssl_target_name_override': 'localhost' });
}

function call(client, { procedure, streams, metadata }) {
  const sent = new grpc.Metadata();
  for (const [name, value] of metadata) {
    sent.add(name, value);
  }
  return new Promise((resolve) => {
    const got = { header: {}, trailer: {}, message: '', code: 0, details: '' };
    const texts = (md) => Object.fromEntries(Object.keys(md.getMap()).filter((k) => !k.endsWith('-bin')).map((k) => [k, md.get(k)]));
    const options = { deadline: Date.now() + 60_000 };
    const running = streams
      ? client.makeServerStreamRequest(procedure, asIs, asIs, nothing, sent, options)
      : client.makeUnaryRequest(procedure, asIs, asIs, nothing, sent, options, (err, message) => {
          got.message = message?.toString('base64') ?? '';
        });
    if (streams) {
      running.on('data', (message) => {
        got.message = message.toString('base64');
      });
      running.on('error', () => {}); // which the status says, too
    }
    running.on('metadata', (md) => {
      got.header = texts(md);
    });
    running.on('status', ({ code, details, metadata }) => {
      got.code = code;
      got.details = details;
      got.trailer = texts(metadata);
      got.status = metadata.get('grpc-status-details-bin')[0]?.toString('base64');
      resolve(got);
    });
  }).then((got) => new Promise((resolve) => setImmediate(() => resolve(got)))); // after the callback
}

let client;
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  if (!client) {
    client = connect(told);
    continue;
  }
  let got;
  try {
    got = await call(client, told);
  } catch (err) {
    got = { fault: String(err) };
  }
  process.stdout.write(JSON.stringify(got) + '\n');
}
client?.close();
