// The authorization server under test: oidc-provider with one API behind it,
// and every feature on that concerns machines.

import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { Provider } from 'oidc-provider';

const API = 'https://orders.example.com';
const SCOPES = ['orders:read', 'orders:write'];

const ALGORITHMS = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519',
];

/** Makes the keys that stay: RSA serves six algorithms, Ed25519 both names. */
export function newKeys() {
  return [
    newKey('rsa', 'rsa', { modulusLength: 2048 }),
    newKey('p-384', 'ec', { namedCurve: 'P-384' }),
    newKey('p-521', 'ec', { namedCurve: 'P-521' }),
    newKey('ed25519', 'ed25519'),
  ];
}

/** Makes the key of ES256, which is the one that is rotated. */
export const newES256Key = (kid) => newKey(kid, 'ec', { namedCurve: 'P-256' });

function newKey(kid, type, options) {
  return { kid, ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }) };
}

/** Holds what a provider remembers: a new one over it knows the tokens of the old. */
export class Store {
  #entries = new Map();

  adapter = (model) => ({
    upsert: async (id, payload) => { this.#entries.set(`${model}:${id}`, payload); },
    find: async (id) => this.#entries.get(`${model}:${id}`),
    destroy: async (id) => { this.#entries.delete(`${model}:${id}`); },
  });
}

/** Makes the clients, named after what is special about them. */
export function newClients({ secret, publicKeys, selfSigned }) {
  const client = (name, metadata) => ({
    client_id: name,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    ...metadata,
  });
  const withSecret = (name, metadata) => client(name, { client_secret: secret, ...metadata });
  const certificate = new X509Certificate(selfSigned);
  const selfSignedTLS = {
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    jwks: {
      keys: [{
        ...certificate.publicKey.export({ format: 'jwk' }),
        x5c: [certificate.raw.toString('base64')],
      }],
    },
  };
  return [
    withSecret('basic'),
    withSecret('post', { token_endpoint_auth_method: 'client_secret_post' }),
    client('assertion', {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: publicKeys },
    }),
    client('tls', { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'tls.example.com' }),
    client('self-signed', selfSignedTLS),
    client('self-signed-bound', { ...selfSignedTLS, tls_client_certificate_bound_access_tokens: true }),
    withSecret('dpop-bound', { dpop_bound_access_tokens: true }),
    withSecret('mtls-bound', { tls_client_certificate_bound_access_tokens: true }),
    ...ALGORITHMS.map((alg) => withSecret(`signed-${alg}`, { introspection_signed_response_alg: alg })),
  ];
}

export function newProvider(issuer, { keys, clients, store, plainAnswers, nonceSecret }) {
  const peer = (ctx) => ctx.req.socket.getPeerX509Certificate?.();
  return new Provider(issuer, {
    adapter: store.adapter,
    clients,
    clockTolerance: 0,
    jwks: { keys },
    scopes: SCOPES,
    ttl: { ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 600 },
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth',
    ],
    enabledJWA: {
      clientAuthSigningAlgValues: ALGORITHMS,
      dPoPSigningAlgValues: ALGORITHMS,
      introspectionSigningAlgValues: ALGORITHMS,
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true, nonceSecret, requireNonce: () => nonceSecret !== undefined },
      introspection: { enabled: true, allowedPolicy: () => true },
      jwtIntrospection: { enabled: !plainAnswers },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: peer,
        certificateAuthorized: (ctx) => ctx.req.socket.authorized,
        certificateSubjectMatches: (ctx, _property, dns) => peer(ctx).checkHost(dns, { subject: 'never' }) !== undefined,
      },
      resourceIndicators: { enabled: true, getResourceServerInfo },
      revocation: { enabled: true },
    },
  });
}

/** The query of a resource indicator (RFC 8707) says what the tokens for it are like. */
function getResourceServerInfo(_ctx, indicator) {
  const query = new URL(indicator).searchParams;
  const alg = query.get('alg');
  return {
    audience: query.get('aud') ?? API,
    scope: SCOPES.join(' '),
    accessTokenTTL: Number(query.get('ttl') ?? 600),
    ...(alg ? { accessTokenFormat: 'jwt', jwt: { sign: { alg } } } : { accessTokenFormat: 'opaque' }),
  };
}
