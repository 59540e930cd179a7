// The listeners and the pool of workers: `server`, `admin` and `offload` of the configuration file.
import { type Static, Type } from 'typebox'
import {
  flag,
  GIB,
  HOUR_MS,
  integer,
  KIB,
  ListenerTls,
  MAX_BUDGET_BYTES,
  MAX_IDLE_MS,
  MAX_PORT,
  MAX_THREADS,
  MIB,
  MINUTE_MS,
  NAME_PATTERN,
  nullable,
  section,
  text,
} from './parts.js'

export const Server = section('The listener and the bounds of one connection.', {
  host: text('127.0.0.1', 'Address to listen on; any other than loopback requires gateway keys.'),
  port: integer({ minimum: 0, maximum: MAX_PORT }, 3000, 'Port to listen on; 0 picks a free one.'),
  threads: integer(
    { minimum: 1, maximum: MAX_THREADS },
    1,
    'Number of event loops; each is a thread, and all listen on the same port.',
  ),
  maxBodyBytes: integer(
    { minimum: KIB, maximum: GIB },
    20 * MIB,
    'Largest request body, in bytes; a larger one gets 413.',
  ),
  maxReceivingBytes: integer(
    { minimum: MIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Memory for requests that are still arriving, in bytes, over the whole process; a request that exceeds it gets 503.',
  ),
  maxReceivingBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    64 * MIB,
    'The same for one gateway key, which may also hold no more than it leaves free for the others; a request that exceeds it gets 429.',
  ),
  maxMessageBytes: integer(
    { minimum: KIB, maximum: GIB },
    256 * KIB,
    'Largest message on /v1/ws, in bytes; each open socket reserves this much of the memory for arriving requests. /v1/ws/large accepts up to maxBodyBytes.',
  ),
  maxResponseBytes: integer(
    { minimum: KIB, maximum: GIB },
    32 * MIB,
    'Largest answer accepted from a provider that does not stream, in bytes.',
  ),
  maxReaderLagBytes: integer(
    { minimum: 16 * KIB, maximum: GIB },
    MIB,
    'How far the reader of a stream may lag behind before it is cut, in bytes.',
  ),
  readerStallMs: integer(
    { minimum: 100, maximum: MAX_IDLE_MS },
    30_000,
    'How long a reader may take nothing before it is cut, in ms.',
  ),
  keepaliveMs: integer(
    { minimum: 100, maximum: 300_000 },
    15_000,
    'Silence after which a keepalive is sent on a stream, in ms.',
  ),
  // Below the default grace period of Kubernetes, 30 s, so that the last frames are sent before its SIGKILL.
  drainMs: integer(
    { minimum: 0, maximum: HOUR_MS },
    25_000,
    'How long open streams may continue after SIGTERM, in ms.',
  ),
  // How long it takes until all load balancers, or a Kubernetes service, stop sending requests to a node.
  drainGraceMs: integer(
    { minimum: 0, maximum: HOUR_MS },
    2000,
    'First part of drainMs, during which new requests are still served, in ms.',
  ),
  maxChatsPerSocket: integer(
    { minimum: 1, maximum: 10_000 },
    128,
    'Maximum number of concurrent chats on one WebSocket.',
  ),
  maintenance: Type.Union([Type.Boolean(), Type.String({ minLength: 1, maxLength: 500 })], {
    default: false,
    description: 'Reject new requests with 503 while open ones finish; a string is the reason that clients see.',
  }),
  endRequestsOfRemovedKeys: flag(
    false,
    'When a gateway key is removed by a reload, or deleted, disabled or expired in the account database, end its open requests and close its WebSockets (4401; keys of the database) as well as rejecting new ones.',
  ),
  tls: nullable(ListenerTls, 'TLS on the listener; null for plain HTTP.'),
  allowedHosts: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
    default: [],
    description:
      'Without gateway keys: further names that the Host header may have, beside server.host, IP addresses and names without a dot. Others get 421, so that no web page can reach the gateway by a name of its own.',
  }),
  trustedProxies: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
    default: [],
    description:
      'Addresses or networks (CIDR) of the proxies in front of Sluice whose X-Forwarded-For or Forwarded header is trusted, and whose X-Forwarded-Proto decides whether the cookie of the console is Secure.',
  }),
  cors: section('Cross-origin requests from browsers.', {
    origins: Type.Array(Type.String({ pattern: '^(\\*|https?://[^/\\s]+)$' }), {
      default: [],
      description: 'Allowed origins, such as https://app.example.com; "*" allows all.',
    }),
  }),
})

/** Whoever has it may change the gateway, and nobody has one from before that would have to go on. */
const MIN_KEY_LENGTH = 16

const SECRET = {
  minLength: MIN_KEY_LENGTH,
  maxLength: 4096,
  expects: `a secret of ${MIN_KEY_LENGTH} to 4096 characters`,
}

const AdminKey = section('One key of the admin API.', {
  name: Type.String({ pattern: NAME_PATTERN, description: 'Name of the key in the audit log.' }),
  key: Type.Optional(
    Type.String({ ...SECRET, description: 'The key itself, at least 16 characters; alternatively keySha256.' }),
  ),
  keySha256: Type.Optional(
    Type.String({
      pattern: '^[0-9a-fA-F]{64}$',
      expects: '64 hex digits',
      description: 'SHA-256 of the key, 64 hex digits.',
    }),
  ),
  role: Type.Enum(['read', 'write'], {
    default: 'read',
    description: 'read for looking only, write for changes as well.',
  }),
})

export const Admin = section('The admin API, on a listener of its own; off without a key.', {
  host: text('127.0.0.1', 'Address of the admin API; any other than loopback requires admin.tls.'),
  port: integer({ minimum: 0, maximum: MAX_PORT }, 3001, 'Port of the admin API; 0 picks a free one.'),
  allowedHosts: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
    default: [],
    description:
      'Further names that the Host header of the admin API may have, beside admin.host, IP addresses and names without a dot.',
  }),
  tls: nullable(ListenerTls, 'TLS on the admin API; null for plain HTTP, which is for loopback only.'),
  key: nullable(Type.String(SECRET), 'A key of role write, named admin (ADMIN_KEY), at least 16 characters.'),
  keys: Type.Array(AdminKey, { default: [], description: 'Further keys of the admin API.' }),
  maxKeptBytes: integer(
    { minimum: 0, maximum: GIB },
    0,
    'Memory of each event loop for the bodies of the last requests, which operators can then look at and send again, in bytes; 0 keeps none.',
  ),
})

export type AdminEntry = Static<typeof Admin>
export type AdminKeyEntry = Static<typeof AdminKey>

export const Offload = section('The pool of worker threads for large bodies.', {
  minBytes: integer(
    { minimum: 0, maximum: GIB },
    262_144,
    'Bodies of at least this size that have to be read in full go to the pool, in bytes; 0 sends all bodies. Large requests that have to be translated, and those that arrive when many do, go there from 64 KiB on; requests that pass to their own API need not be read in full. bench/README.md has the measurements.',
  ),
  workers: Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: MAX_THREADS })], {
    default: 'auto',
    description: 'Worker threads; auto is one fewer than the number of cores, at least 1.',
  }),
  maxQueue: integer(
    { minimum: 1, maximum: 1_000_000 },
    1024,
    'Maximum number of tasks that wait for a worker; a request that exceeds it gets 503.',
  ),
  taskTimeoutMs: integer({ minimum: 100, maximum: 10 * MINUTE_MS }, 10_000, 'Longest run time of one task, in ms.'),
})
