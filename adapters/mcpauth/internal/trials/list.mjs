// Sends calls through the transport of MCP's TypeScript SDK, one for each line of its
// standard input, and writes what came back:
//
//	{"url": "…", "headers": {…}, "message": {…}, "version": "…"}

import { createInterface } from 'node:readline';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StreamableHTTPClientTransport as Older } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let got;
  const recorded = async (url, init) => {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(20_000) });
    const body = await response.text();
    got = { status: response.status, headers: Object.fromEntries(response.headers), body, fields: new Headers(init.headers).get('mcp-name') ?? '' };
    return new Response(body || null, { status: response.status, headers: response.headers });
  };
  const Transport = asked.version === '2026-07-28' ? StreamableHTTPClientTransport : Older;
  const transport = new Transport(new URL(asked.url), { requestInit: { headers: asked.headers }, fetch: recorded });
  let trouble = '';
  try {
    await transport.start();
    transport.setProtocolVersion(asked.version);
    await transport.send(asked.message);
  } catch (error) {
    trouble = String(error);
  }
  await transport.close();
  console.log(JSON.stringify({ ...got, trouble }));
}
process.exit(0);
