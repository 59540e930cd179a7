// One entry of `providers` of the configuration file.
import { type Static, Type } from 'typebox'
import { ENDPOINT_IDS } from '../../model/endpoint.js'
import { concurrency, integer, MAX_CONCURRENCY, MAX_WAIT_MS, MINUTE_MS, nullable, section } from './parts.js'
import { QuirkOverrides } from './quirks.js'

/** HTTP field name, lower case (RFC 9110 5.1 token). */
const HEADER_NAME_PATTERN = "^[a-z0-9!#$%&'*+.^_`|~-]+$"
/** HTTP field value: visible ASCII, blanks and tabs; no CR, LF or NUL (RFC 9110 5.5). */
const HEADER_VALUE_PATTERN = '^[\\t\\x20-\\x7e]*$'

/** Credentials, host and port; the parser checks the rest. */
const PROXY_PATTERN = '^(?:none|https?://\\S+)$'

/** What a provider may offer besides chats. */
export const EndpointName = Type.Enum([...ENDPOINT_IDS])

function credential(description: string) {
  return Type.Optional(Type.String({ minLength: 1, maxLength: 16_384, description }))
}

function addressPart(pattern: string, description: string) {
  return Type.Optional(Type.String({ pattern, description }))
}

export const ExtraBody = Type.Record(Type.String({ pattern: '^.+$' }), Type.Unknown(), {
  default: {},
  description: 'Default fields for the request bodies sent there; a field of the request itself wins.',
})

/** One entry of `providers`. */
export const ProviderEntry = section('One provider.', {
  profile: Type.Optional(
    Type.String({ description: 'Vendor profile; by default the one with the name of this entry.' }),
  ),
  protocol: Type.Optional(Type.String({ description: 'API of a server without a profile.' })),
  baseUrl: Type.Optional(Type.String({ description: 'Base URL, with or without the version segment.' })),
  versionSegment: Type.Optional(
    Type.String({ pattern: '^(/[A-Za-z0-9._~-]+)*$', description: 'Version segment of the path; "" for none.' }),
  ),
  address: section('What the base URL of its profile leaves open.', {
    resource: addressPart('^[A-Za-z0-9][A-Za-z0-9-]{0,62}$', 'Name of the resource, which begins the host.'),
    region: addressPart('^[a-z]{2,}(?:-[a-z0-9]+)+$', 'Region, such as eu-central-1.'),
    project: addressPart('^[a-z0-9][a-z0-9.:-]{0,127}$', 'Id or number of the project.'),
    location: addressPart('^[a-z][a-z0-9-]{0,62}$', 'Location, such as europe-west1, eu or global.'),
    account: addressPart('^[A-Za-z0-9]{1,64}$', 'Id of the account.'),
  }),
  apiKey: Type.Optional(Type.String({ maxLength: 16_384, description: 'API key of the provider.' })),
  credentials: nullable(
    section('Credentials that expire, in place of an apiKey.', {
      kind: Type.Enum(['aws', 'gcp', 'entra'], {
        description:
          'aws signs each request; gcp and entra send bearer tokens. Each finds what is not set here by itself.',
      }),
      accessKeyId: credential('Access key of aws; the variables of the vendor set it, too.'),
      secretAccessKey: credential('Secret of the access key.'),
      sessionToken: credential('Session token of a temporary access key.'),
      roleArn: credential('Role that aws assumes by web identity.'),
      tokenFile: credential('File with the token for that role, which the platform renews.'),
      service: credential('Name of the service in signatures, where it is not that of the profile.'),
      file: credential('File with the service account of gcp, as JSON.'),
      json: credential('The service account itself, as JSON.'),
      tenant: credential('Tenant of entra.'),
      clientId: credential('Id of the application, or of the managed identity.'),
      clientSecret: credential('Secret of the application; without one the identity of the machine counts.'),
      scope: credential('Scope of the tokens.'),
      tokenUrl: credential('Address of the token endpoint.'),
      metadataUrl: credential('Address of the metadata server.'),
    }),
    'Credentials of a cloud; null for an apiKey.',
  ),
  headers: Type.Record(
    Type.String({ pattern: HEADER_NAME_PATTERN }),
    Type.String({ pattern: HEADER_VALUE_PATTERN, maxLength: 8192 }),
    { default: {}, description: 'Headers added to every request, with lower-case names.' },
  ),
  limits: section('Limits of this provider.', {
    concurrency: concurrency(null, 'Maximum number of concurrent requests; null for no limit.'),
  }),
  timeouts: section('Timeouts of one attempt.', {
    connectMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 5000, 'Time to connect, in ms.'),
    firstTokenMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 60_000, 'Time to the first token, in ms.'),
    betweenTokensMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 60_000, 'Time between two tokens, in ms.'),
    totalMs: integer({ minimum: 10, maximum: MAX_WAIT_MS }, 600_000, 'Time for the whole answer, in ms.'),
    wholeMs: nullable(
      Type.Integer({ minimum: 10, maximum: MAX_WAIT_MS }),
      'Time for an answer that does not stream, in ms; null for totalMs.',
    ),
  }),
  models: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
      description: 'Models that it serves, for the list of models.',
    }),
  ),
  endpoints: Type.Optional(
    Type.Array(EndpointName, {
      uniqueItems: true,
      description:
        'What it offers besides chats; without it, what its profile names, else everything that its protocol has. files and batches only if named here or, at the address of the vendor, in its profile.',
    }),
  ),
  extraBody: ExtraBody,
  quirks: QuirkOverrides,
  maxConnections: concurrency(null, 'Maximum number of connections per event loop; null for no limit.'),
  maxIdleConnections: nullable(
    Type.Integer({ minimum: 0, maximum: MAX_CONCURRENCY }),
    'Maximum number of idle connections kept per event loop; null for no limit.',
  ),
  keepAliveMs: integer(
    { minimum: 1000, maximum: 10 * MINUTE_MS },
    60_000,
    'How long an idle connection is kept, in ms.',
  ),
  proxy: Type.Optional(
    Type.String({
      maxLength: 2048,
      pattern: PROXY_PATTERN,
      description:
        'Proxy, as http://user:password@host:port, or none to connect directly. By default HTTPS_PROXY, HTTP_PROXY and NO_PROXY decide.',
    }),
  ),
  tls: section('TLS to this provider.', {
    caFile: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'PEM file with the certificate authorities to trust, replacing the default ones.',
      }),
    ),
    certFile: Type.Optional(Type.String({ minLength: 1, description: 'PEM file with the client certificate.' })),
    keyFile: Type.Optional(
      Type.String({ minLength: 1, description: 'PEM file with the private key of the client certificate.' }),
    ),
    serverName: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$',
        description: 'Server name for SNI and certificate verification, where it differs from the host in baseUrl.',
      }),
    ),
  }),
  isolation: Type.Enum(['none', 'key', 'request'], {
    default: 'none',
    description:
      'Which requests may share a connection: none for all of them, key for those of one gateway key, request for no two.',
  }),
  http2: Type.Enum(['auto', 'on', 'off'], {
    default: 'auto',
    description:
      'HTTP/2 to a provider over TLS: auto where the provider agrees to it, on for it alone, off for HTTP/1.1. Connections are shared, up to 50 streams each, so it needs isolation none.',
  }),
})

export type ProviderEntry = Static<typeof ProviderEntry>
