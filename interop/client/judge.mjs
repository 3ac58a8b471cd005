// Judges requests as an API would that uses oauth4webapi. Standard input is one JSON
// object: the issuer with its key set, the API's name, and requests with the moment that
// they come at. Standard output is an array with null for each that passes, and else why
// it does not: "no request: …" if Node's Request cannot hold it.

import { text } from 'node:stream/consumers';
import * as oauth from 'oauth4webapi';

const { issuer, jwks, audience, requests } = JSON.parse(await text(process.stdin));

const as = { issuer, jwks_uri: 'https://keys.example.com/' };
let now;
Date.now = () => now;

const verdicts = [];
for (const { milliseconds, method, url, token, proofs, algorithms } of requests) {
  now = milliseconds;
  const request = new Request(url, { method, headers: { Authorization: `DPoP ${token}` } });
  try {
    for (const proof of proofs ?? []) request.headers.append('DPoP', proof);
  } catch {
    verdicts.push('no request: a field value that is none');
    continue;
  }
  try {
    await oauth.validateJwtAccessToken(as, request, audience, {
      requireDPoP: true,
      signingAlgorithms: algorithms,
      [oauth.customFetch]: async () => Response.json(jwks),
    });
    verdicts.push(null);
  } catch (error) {
    verdicts.push(`${error.name}: ${error.message}`);
  }
}
console.log(JSON.stringify(verdicts));
