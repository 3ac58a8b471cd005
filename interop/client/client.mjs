// Runs client libraries. It reads one JSON object per line from standard input:
// first an empty one, then commands. It answers each with one line on standard
// output, and ends when its input does.

import { createInterface } from 'node:readline';
import * as undici from 'undici';
import { discover, libraries } from './libraries.mjs';

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const sessions = [];

/** What a session sends by: its own connections, and its requests may be taken on the way. */
class Wire {
  requests = 0; // that were sent
  #dispatcher;
  #taken;

  constructor(tls) {
    this.#dispatcher = new undici.Agent(tls ? { connect: tls } : {});
  }

  fetch = async (url, init) => {
    if (this.#taken) {
      this.#taken.push(Object.fromEntries(new Headers(init.headers)));
      return new Response();
    }
    this.requests += 1;
    return undici.fetch(url, { ...init, dispatcher: this.#dispatcher });
  };

  /** Runs send, lets none of its requests through, and returns the headers of the first. */
  async take(send) {
    this.#taken = [];
    try {
      await send();
      return this.#taken[0];
    } finally {
      this.#taken = undefined;
    }
  }
}

const commands = {
  /** Makes a session: a library, a client of an issuer, and a key of its own for alg, if there is one. */
  async connect({ library, tls, ...client }) {
    const wire = new Wire(tls);
    sessions.push({ wire, ...await libraries[library]({ ...client, fetch: wire.fetch }) });
    return { session: sessions.length - 1 };
  },

  async token({ session, parameters }) {
    const { wire, token } = sessions[session];
    const before = wire.requests;
    const { access_token, token_type } = await token(parameters);
    return { token: access_token, type: token_type, requests: wire.requests - before };
  },

  /** Asks an API as the library does. A challenge that the library throws is an answer, too. */
  async request({ session, token, method, url, body }) {
    const response = await sessions[session].request(token, method, url, body).catch((error) => {
      if (!error.response) throw error;
      return error.response;
    });
    return {
      status: response.status,
      challenge: response.headers.get('WWW-Authenticate') ?? '',
      body: await response.text(),
    };
  },

  /** Reads the metadata of an API, with what it told a session in a challenge. */
  async discover({ session, token, url }) {
    const { wire, request } = sessions[session];
    const { cause } = await request(token, 'GET', url).catch((error) => error);
    const named = cause.map(({ scheme, parameters }) => ({ scheme, ...parameters }));
    return { challenges: named, metadata: await discover(new URL(url).origin, wire.fetch) };
  },

  /** Returns what the request would have been sent with. */
  async take({ session, token, method, url }) {
    const { wire, request } = sessions[session];
    const { authorization, dpop } = await wire.take(() => request(token, method, url));
    return { authorization, proof: dpop };
  },
};

await input.next();
console.log('{}');
for await (const line of input) {
  const { command, ...args } = JSON.parse(line);
  try {
    console.log(JSON.stringify(await commands[command](args)));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error}: ${error.cause?.error_description ?? error.cause ?? ''}` }));
  }
}
process.exit();
