// Gets access tokens with openid-client. Standard input is one JSON object that
// says from whom and for what; standard output is the array of tokens.

import { text } from 'node:stream/consumers';
import * as client from 'openid-client';

const { issuer, id, secret, dpop, requests } = JSON.parse(await text(process.stdin));

const config = await client.discovery(new URL(issuer), id, undefined, client.ClientSecretBasic(secret), {
  execute: [client.allowInsecureRequests], // http, on loopback
});
const options = dpop
  ? { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }
  : undefined;

const tokens = [];
for (const request of requests) {
  const response = await client.clientCredentialsGrant(config, request, options);
  tokens.push(response.access_token);
}
console.log(JSON.stringify(tokens));
