// Runs the authorization server on a loopback port of the system's choosing. It
// reads one JSON object per line from standard input: first its options, then
// commands. It answers each with one line on standard output, the first with
// its issuer identifier, and ends when its input does.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import { newClients, newES256Key, newKeys, newProvider, Store } from './provider.mjs';

// Standard output is for answers; oidc-provider writes notices there.
console.info = console.error;

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const options = JSON.parse((await input.next()).value);
const { path = '', metadata = ['openid-configuration', 'oauth-authorization-server'], tls, plainAnswers, nonces } = options;

const clients = newClients(options);
const store = new Store();
const keys = newKeys();
const nonceSecret = nonces ? randomBytes(32) : undefined;
let rotating = [newES256Key('first')];
let issuer;
let serve;

// Where the metadata is: OpenID Connect Discovery 1.0 §4 appends to the path of
// the issuer, RFC 8414 §3 puts it in front.
const documents = new Map([
  ['openid-configuration', `${path}/.well-known/openid-configuration`],
  ['oauth-authorization-server', `/.well-known/oauth-authorization-server${path}`],
].filter(([name]) => metadata.includes(name)).map(([name, url]) => [url, `${path}/.well-known/${name}`]));

function handle(req, res) {
  const url = req.url.includes('/.well-known/') ? documents.get(req.url) : req.url;
  if (!url?.startsWith(path)) {
    res.writeHead(404).end();
    return;
  }
  req.originalUrl = url; // where oidc-provider sees the path it is mounted at
  req.url = url.slice(path.length);
  serve(req, res);
}

const listener = tls
  ? https.createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, handle)
  : http.createServer(handle);

// An outage resets connections, and keeps the port from others.
let down = false;
listener.on('connection', (socket) => {
  if (down) socket.resetAndDestroy();
});

// A provider's keys are fixed, so each rotation makes a new provider.
function start() {
  serve = newProvider(issuer, { keys: [...rotating, ...keys], clients, store, plainAnswers, nonceSecret }).callback();
}

const commands = {
  /** ES256 is signed with a new key from now on; the old ones stay published, or do not. */
  rotate({ kid, keepOld }) {
    rotating = [newES256Key(kid), ...(keepOld ? rotating : [])];
    start();
  },

  pause() {
    down = true;
    listener.closeAllConnections();
  },

  resume() {
    down = false;
  },
};

listener.listen(0, '127.0.0.1');
await once(listener, 'listening');
issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${listener.address().port}${path}`;
start();
console.log(JSON.stringify({ issuer }));

for await (const line of input) {
  const { command, ...args } = JSON.parse(line);
  commands[command](args);
  console.log('{}');
}
process.exit();
