// Walks through an authorization as one of MCP's TypeScript clients does, and writes what
// it sent and got. It reads from its standard input:
//
//	{"client": "sdk" | "client", "url": "…", "id": "…", "secret": "…", "tools": ["…"]}

import * as newer from '@modelcontextprotocol/client';
import { ClientCredentialsProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

let input = '';
for await (const piece of process.stdin) input += piece;
const asked = JSON.parse(input);

const steps = [];
const recorded = async (url, init = {}) => {
  const text = typeof init.body === 'string' ? init.body : String(init.body ?? '');
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(20_000) });
  const headers = new Headers(init.headers);
  const step = { method: init.method ?? 'GET', path: new URL(url).pathname, status: response.status, challenge: response.headers.get('www-authenticate') ?? '' };
  if (text.startsWith('{')) step.does = JSON.parse(text).method;
  if (text.includes('grant_type=')) {
    const form = new URLSearchParams(text);
    step.scope = form.get('scope') ?? '';
    step.resource = form.get('resource') ?? '';
  }
  step.fields = [headers.get('mcp-method') ?? '', headers.get('mcp-name') ?? ''].join(' ').trim();
  steps.push(step);
  if (step.path.includes('/oauth-authorization-server') && response.ok) {
    // Both clients want it, also where no grant goes there (RFC 8414 §2).
    const said = await response.json();
    said.authorization_endpoint ??= `${said.issuer}/authorize`;
    return Response.json(said);
  }
  return response;
};

// Of version 1, the provider for client credentials does not go by challenges: whoever
// wants that writes it.
class ByChallenge extends ClientCredentialsProvider {
  prepareTokenRequest(scope) {
    const named = steps.map((step) => /scope="([^"]*)"/.exec(step.challenge)?.[1]).filter(Boolean).at(-1);
    return super.prepareTokenRequest(scope ?? named);
  }
}

const credentials = { clientId: asked.id, clientSecret: asked.secret };
const url = new URL(asked.url);
let client, transport;
if (asked.client === 'client') {
  transport = new newer.StreamableHTTPClientTransport(url, { authProvider: new newer.ClientCredentialsProvider(credentials), fetch: recorded });
  client = new newer.Client({ name: 'walk', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
} else {
  transport = new StreamableHTTPClientTransport(url, { authProvider: new ByChallenge(credentials), fetch: recorded });
  client = new Client({ name: 'walk', version: '1.0.0' });
}

const results = [];
try {
  await client.connect(transport);
  for (const name of asked.tools) {
    try {
      const result = await client.callTool({ name, arguments: {} });
      results.push(result.content.map((c) => c.text).join(''));
    } catch (error) {
      results.push(`${error.name}: ${error.message}`.slice(0, 300));
    }
  }
} catch (error) {
  results.push(`connect: ${error.name}: ${error.message}`.slice(0, 300));
}
console.log(JSON.stringify({ results, steps }));
process.exit(0);
