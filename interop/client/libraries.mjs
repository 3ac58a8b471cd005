// What each client library does by itself, behind one shape: a session gets
// tokens, and asks APIs with them. Where a library leaves something to its user, the
// code here is what its documentation shows.

import { generateKeyPair, generateProof } from 'dpop';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';

/** oauth4webapi leaves it to the user to ask again with a nonce. */
async function oauth4webapi({ issuer, id, secret, alg, fetch }) {
  const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetch };
  const url = new URL(issuer);
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options));
  const client = { client_id: id, use_mtls_endpoint_aliases: secret === undefined };
  const authentication = secret === undefined ? oauth.TlsClientAuth() : oauth.ClientSecretBasic(secret);
  const DPoP = alg ? oauth.DPoP(client, await oauth.generateKeyPair(alg)) : undefined;

  const onceMore = (attempt) => attempt().catch((error) => {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return attempt();
  });
  return {
    token: (parameters) => onceMore(async () => {
      const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, parameters, { ...options, DPoP });
      return oauth.processClientCredentialsResponse(as, client, response);
    }),
    request: (token, method, url, body) => onceMore(
      () => oauth.protectedResourceRequest(token, method, new URL(url), undefined, body, { ...options, DPoP }),
    ),
  };
}

/** openid-client asks again by itself. */
async function openidClient({ issuer, id, secret, alg, fetch }) {
  const metadata = { use_mtls_endpoint_aliases: secret === undefined };
  const authentication = secret === undefined ? openid.TlsClientAuth() : openid.ClientSecretBasic(secret);
  const config = await openid.discovery(new URL(issuer), id, metadata, authentication, {
    execute: [openid.allowInsecureRequests],
    [openid.customFetch]: fetch,
  });
  const options = alg
    ? { DPoP: openid.getDPoPHandle(config, await openid.randomDPoPKeyPair(alg)) }
    : undefined;
  return {
    token: (parameters) => openid.clientCredentialsGrant(config, parameters, options),
    request: (token, method, url, body) => openid.fetchProtectedResource(config, token, new URL(url), method, body, undefined, options),
  };
}

/** dpop makes proofs and nothing else. */
async function dpop({ issuer, id, secret, alg, fetch }) {
  const keys = await generateKeyPair(alg);
  const nonces = new Map(); // by origin
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const form = (text) => new URLSearchParams({ text }).toString().slice('text='.length); // RFC 6749 §2.3.1

  async function send(method, target, headers, body, token) {
    const url = new URL(target);
    const attempt = async () => {
      const proof = await generateProof(keys, url.origin + url.pathname, method, nonces.get(url.origin), token);
      const response = await fetch(url.href, { method, headers: { ...headers, DPoP: proof }, body });
      const nonce = response.headers.get('DPoP-Nonce');
      if (nonce) nonces.set(url.origin, nonce);
      return response;
    };
    const response = await attempt();
    const wanted = response.status === 400
      ? (await response.clone().json()).error === 'use_dpop_nonce'
      : response.headers.get('WWW-Authenticate')?.includes('error="use_dpop_nonce"');
    return wanted ? attempt() : response;
  }
  return {
    async token(parameters) {
      const response = await send('POST', metadata.token_endpoint, {
        Authorization: `Basic ${btoa(`${form(id)}:${form(secret)}`)}`,
        'Content-Type': 'application/x-www-form-urlencoded',
      }, new URLSearchParams({ grant_type: 'client_credentials', ...parameters }).toString());
      if (!response.ok) throw new Error(await response.text());
      return response.json();
    },
    request: (token, method, url, body) => send(method, url, { Authorization: `DPoP ${token}` }, body, token),
  };
}

/** Returns the metadata of an API (RFC 9728). */
export async function discover(resource, fetch) {
  const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetch };
  const url = new URL(resource);
  return oauth.processResourceDiscoveryResponse(url, await oauth.resourceDiscoveryRequest(url, options));
}

export const libraries = { oauth4webapi, 'openid-client': openidClient, dpop };
