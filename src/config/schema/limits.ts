// Gateway keys, who is let in beside their holders, and limits: `keys`, `accounts`, `auth` and `limits` of the configuration file.
import { type Static, Type } from 'typebox'
import { JWT_ALGORITHMS } from '../listener-types.js'
import {
  concurrency,
  DAY_MS,
  flag,
  integer,
  MAX_CONCURRENCY,
  MIB,
  MINUTE_MS,
  NAME_PATTERN,
  nullable,
  perMinute,
  section,
  text,
} from './parts.js'

const LimitFields = {
  requestsPerMinute: perMinute('Requests per minute; null for no limit.'),
  tokensPerMinute: perMinute('Input and output tokens per minute; null for no limit.'),
}

export const Key = section('One gateway key.', {
  name: Type.String({
    pattern: NAME_PATTERN,
    description: 'Name of the key in the log and in metrics; not the key itself.',
  }),
  key: Type.Optional(
    Type.String({ minLength: 1, maxLength: 4096, description: 'The key itself; alternatively keySha256.' }),
  ),
  keySha256: Type.Optional(
    Type.String({
      pattern: '^[0-9a-fA-F]{64}$',
      expects: '64 hex digits',
      description: 'SHA-256 of the key, 64 hex digits.',
    }),
  ),
  models: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
    default: ['*'],
    minItems: 1,
    description: 'Models that this key may use; * is a wildcard.',
  }),
  limits: section('Limits of this key.', {
    ...LimitFields,
    requestWindowSeconds: integer(
      { minimum: 1, maximum: DAY_MS / 1000 },
      60,
      'Window of requestsPerMinute when it is not one minute, in seconds.',
    ),
    concurrency: concurrency(null, 'Maximum number of concurrent requests; null for no limit.'),
  }),
})

const TOKEN_SECRET = { minLength: 16, expects: 'a secret of 16 characters or more' }

export const Accounts = section('Keys and teams that are kept in a database and change without a reload.', {
  store: Type.Enum(['off', 'sqlite', 'postgres'], {
    default: 'off',
    description: 'Where they are kept. With any store, every request needs a key.',
  }),
  path: text('./data/accounts.db', 'Database file of the sqlite store; created at the first start.'),
  url: nullable(
    Type.String({ pattern: '^postgres(?:ql)?://', expects: 'a postgres:// address' }),
    'postgres:// URL of the postgres store; its tables are in the schema sluice.',
  ),
  maxKeys: integer(
    { minimum: 1, maximum: 1_000_000 },
    100_000,
    'Maximum number of keys; their memory, about 1 KB each, is reserved at start.',
  ),
  journal: nullable(
    Type.String({ minLength: 1 }),
    'Folder in which event loops write down what is reserved and spent of budgets; null for one beside `path`, with .journal added. It must outlast the process, and be used by no other gateway.',
  ),
  maxJournalBytes: integer(
    { minimum: 64 * MIB, maximum: 1_099_511_627_776 },
    1024 * MIB,
    'Most bytes of those files, which grow while the database is away, some 200 for each request under a budget. When they are full, such requests get 503.',
  ),
  maxStaleMs: integer(
    { minimum: 0, maximum: 7 * DAY_MS },
    60 * MINUTE_MS,
    'How long keys known so far are used while the postgres database is away, in ms; then their requests are refused with 503. 0 uses none, and no snapshot.',
  ),
  snapshot: nullable(
    Type.String({ minLength: 1 }),
    'File of what is known of keys, for a start while the postgres database is away: digests of secrets, and no secret; null for one beside `path`, with .snapshot added.',
  ),
  singleNode: flag(
    false,
    'No other gateway uses the postgres database at the same time, so budgets hold without redis.url.',
  ),
  tokenSecret: nullable(
    Type.String(TOKEN_SECRET),
    'Secret that signs browser tokens, at least 16 characters, the same on all nodes; null for a random one that the database keeps, or for no browser tokens without one.',
  ),
  previousTokenSecret: nullable(
    Type.String(TOKEN_SECRET),
    'The tokenSecret before: tokens that it has signed are still accepted.',
  ),
  spend: section('How long sums of what keys have spent are kept.', {
    hourlyDays: integer({ minimum: 2, maximum: 3660 }, 35, 'Sums by the hour, in days.'),
    dailyDays: integer(
      { minimum: 32, maximum: 3660 },
      400,
      'Sums by the day, those of end users, and what budgets have spent in windows that are over, in days.',
    ),
  }),
})

export const Budgets = section('Budgets that several nodes spend from, through Redis (accounts.store: postgres).', {
  onRedisDown: Type.Enum(['closed', 'local'], {
    default: 'closed',
    description:
      'While Redis is unavailable: closed answers requests under a budget with 503, local lets each node spend what was left when it last heard.',
  }),
})

export const GatewayLimits = section('Limits of the whole gateway.', {
  ...LimitFields,
  concurrency: concurrency(1000, 'Maximum number of concurrent requests; null for no limit.'),
  failedKeysPerMinute: Type.Union([Type.Integer({ minimum: 1, maximum: MAX_CONCURRENCY }), Type.Null()], {
    default: 60,
    description: 'Requests with an unknown key per minute before their public address is refused; null for no limit.',
  }),
  queue: section('The queue of requests that wait for a free slot.', {
    max: integer(
      { minimum: 0, maximum: 100_000 },
      100,
      'Maximum number of waiting requests on each event loop; 0 rejects immediately.',
    ),
    timeoutMs: integer({ minimum: 0, maximum: 10 * MINUTE_MS }, 10_000, 'Longest time in the queue, in ms.'),
  }),
  shed: section('Load shedding: rejects new requests early when an event loop cannot keep up.', {
    lagMs: Type.Union([Type.Integer({ minimum: 5, maximum: 10_000 }), Type.Null()], {
      default: 25,
      description:
        'Target length of a turn of an overloaded event loop, in ms. A loop whose turns take eight times as long is overloaded: it admits what fits and rejects the rest with 503. null sheds nothing.',
    }),
  }),
  onRedisDown: Type.Enum(['local', 'closed'], {
    default: 'local',
    description: 'While Redis is unavailable: local limits each node by itself, closed rejects every request.',
  }),
})

export type KeyEntry = Static<typeof Key>

const CLAIM = { minLength: 1, maxLength: 200 }

const Jwt = section('One identity provider.', {
  issuer: Type.String({ minLength: 1, maxLength: 500, description: 'The claim iss of its tokens, exactly.' }),
  audience: Type.String({
    minLength: 1,
    maxLength: 500,
    description: 'What the claim aud must be, or have among others: this gateway, not the provider or a client.',
  }),
  jwksUrl: Type.Optional(
    Type.String({
      pattern: '^https?://',
      expects: 'an https:// address',
      description: 'Address of its public keys, https unless it is on this machine; give this or jwksFile.',
    }),
  ),
  jwksFile: Type.Optional(
    Type.String({ minLength: 1, description: 'File with its public keys, a JSON Web Key Set; give this or jwksUrl.' }),
  ),
  algorithms: Type.Array(Type.Enum([...JWT_ALGORITHMS]), {
    default: ['RS256', 'ES256'],
    minItems: 1,
    description: 'Accepted signatures; asymmetric ones only.',
  }),
  claims: section('Names of the claims that say what a token may use; one of key and team is needed.', {
    key: Type.Optional(Type.String({ ...CLAIM, description: 'Claim with the name of a gateway key.' })),
    team: Type.Optional(
      Type.String({
        ...CLAIM,
        description:
          'Claim with the name of a team, or several: the key of the team that is called <team>.jwt is used.',
      }),
    ),
    models: Type.Optional(
      Type.String({ ...CLAIM, description: 'Claim with the models that the token may use, within those of the key.' }),
    ),
    user: Type.Optional(Type.String({ ...CLAIM, description: 'Claim with the end user, such as sub.' })),
  }),
})

export const Auth = section('Who is let in beside the holders of keys.', {
  jwt: Type.Array(Jwt, {
    default: [],
    description: 'Identity providers whose tokens are accepted as Authorization: Bearer.',
  }),
})

export type JwtEntry = Static<typeof Jwt>
