// Gateway keys: those of the database are created, changed, rotated and deleted here; those of the configuration file are only shown. A
// secret is in the answer that made it, and nowhere else.
import { type Static, Type } from 'typebox'
import { type KeyPatch, type KeyRecord } from '../../accounts/types.js'
import { NAME_PATTERN } from '../../config/schema/parts.js'
import { type KeyConfig } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type AdminContext } from '../context.js'
import { type AdminAnswer, type AdminRoute, adminRoute } from '../http/admin-route.js'
import { nullable, refused, Time, timeText } from '../http/answers.js'
import { etagOf, versionOf } from '../http/etag.js'
import { InlineBudgets, readInline, showInline } from './budgets.js'
import {
  Limits,
  LimitsPatch,
  Metadata,
  Models,
  Name,
  pageFields,
  readTimeOf,
  storeOf,
  Tags,
  TimeInput,
  unknown,
} from './records.js'

const DAY_MS = 86_400_000
const MAX_OVERLAP_MS = 30 * DAY_MS

const KEY_FIELDS = {
  team: nullable(Name),
  models: Models,
  limits: Limits,
  budgets: InlineBudgets,
  tags: Tags,
  metadata: Metadata,
  trustUser: Type.Boolean(),
  disabled: Type.Boolean(),
}
const ShownKey = Type.Object({
  id: nullable(Type.String({ description: 'Immutable; null for a key of the configuration file' })),
  name: Type.String(),
  source: Type.Enum(['database', 'file']),
  ...KEY_FIELDS,
  createdAt: nullable(Time),
  rotatedAt: nullable(Time),
  expiresAt: nullable(Time),
  lastUsedAt: nullable(Time),
  secrets: Type.Array(
    Type.Object({ hint: Type.String({ description: 'Its last characters' }), validUntil: nullable(Time) }),
  ),
})
const KeyWithSecret = Type.Object({
  ...ShownKey.properties,
  secret: Type.String({ description: 'Shown this once' }),
})
const NewKeyBody = Type.Object(
  {
    name: Name,
    team: Type.Union([Name, Type.Null()], { default: null }),
    models: Type.Array(Models.items, { minItems: 1, maxItems: 100, default: ['*'] }),
    limits: Limits,
    budgets: Type.Array(InlineBudgets.items, { maxItems: 10, default: [] }),
    tags: Type.Array(Name, { maxItems: 100, default: [] }),
    metadata: Type.Record(Type.String({ pattern: '^[\\x20-\\x7e]{1,64}$' }), Type.String({ maxLength: 1024 }), {
      default: {},
    }),
    trustUser: Type.Boolean({ default: false, description: 'Requests may name their end user' }),
    disabled: Type.Boolean({ default: false }),
    expiresAt: Type.Union([Type.String({ maxLength: 40 }), Type.Null()], { default: null, description: 'ISO 8601' }),
  },
  { additionalProperties: false },
)
const KeyPatchBody = Type.Object(
  {
    ...Object.fromEntries(Object.entries(KEY_FIELDS).map(([name, schema]) => [name, Type.Optional(schema)])),
    limits: Type.Optional(LimitsPatch),
    expiresAt: Type.Optional(TimeInput),
  },
  { additionalProperties: false },
)
const RotateBody = Type.Object(
  {
    overlapMs: Type.Integer({
      minimum: 0,
      maximum: MAX_OVERLAP_MS,
      default: DAY_MS,
      description: 'How long the secret before stays valid; with 0 all before end at once',
    }),
  },
  { additionalProperties: false },
)
const KeyPage = Type.Object(
  {
    ...pageFields,
    team: Type.Optional(Type.String({ pattern: NAME_PATTERN, description: 'Keys of this team alone' })),
  },
  { additionalProperties: false },
)

const UNKNOWN = refused('There is no such key.')
const CONFLICT = refused(
  'The name has other contents, the key is one of the configuration file, or there is no database.',
)
const STALE = refused('It was changed since the ETag in If-Match was read.')
const NEEDS_VERSION = 'With If-Match, the ETag of an answer, it is done to that version alone.'

/** The routes of keys. */
export function keyRoutes(context: AdminContext): AdminRoute[] {
  const row = { tag: 'Keys' } as const
  return [
    adminRoute({
      ...{ ...row, method: 'GET', path: '/admin/v1/keys', role: 'read', query: KeyPage },
      summary: 'List the gateway keys by name',
      description: 'Those of the configuration file come first, on the first page, unless a team is asked for.',
      answers: {
        200: {
          description: 'A page of keys; `next` is null on the last one',
          schema: Type.Object({ data: Type.Array(ShownKey), next: nullable(Type.String()) }),
        },
      },
      act: ({ query }) => listKeys(context, query),
    }),
    adminRoute({
      ...{ ...row, method: 'POST', path: '/admin/v1/keys', role: 'write', body: NewKeyBody },
      summary: 'Create a key; its secret is in this answer alone',
      answers: {
        201: { description: 'The key with its secret', schema: KeyWithSecret, headers: ['etag'] },
        200: {
          description: 'The key was there with the same contents; no secret',
          schema: ShownKey,
          headers: ['etag'],
        },
        404: refused('There is no such team.'),
        409: CONFLICT,
        507: refused('There are as many keys as accounts.maxKeys allows.'),
      },
      async act({ body, operator: { name: by } }) {
        const { expiresAt, ...fields } = body
        refuseFileKey(context, body.name)
        const further = { expiresAtMs: readTimeOf('expiresAt', expiresAt), budgets: readInline(body.budgets) }
        const { key, secret } = await storeOf(context).createKey({ ...fields, ...further }, { by })
        if (secret === null) return { status: 200, body: shown(key), headers: etagOf(key.version) }
        context.audit.log({ by, action: 'key.create', target: key.name, before: null, after: key })
        return { status: 201, body: { ...shown(key), secret }, headers: etagOf(key.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'GET', path: '/admin/v1/keys/:name', role: 'read' },
      summary: 'Get a key',
      answers: { 200: { description: 'The key', schema: ShownKey, headers: ['etag'] }, 404: UNKNOWN },
      async act({ name }) {
        const ofFile = context.fileKeys().find((key) => key.name === name)
        if (ofFile !== undefined) return { status: 200, body: shownOfFile(ofFile) }
        const key = (await context.accounts()?.getKey(name)) ?? null
        if (key === null) throw unknown('key')
        return { status: 200, body: shown(key), headers: etagOf(key.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'PATCH', path: '/admin/v1/keys/:name', role: 'write', body: KeyPatchBody },
      summary: 'Change a key; members that are absent stay as they are',
      description: NEEDS_VERSION,
      answers: {
        200: { description: 'The key as it is now', schema: ShownKey, headers: ['etag'] },
        404: refused('There is no such key, or no such team.'),
        409: CONFLICT,
        412: STALE,
      },
      async act({ name, body, ifMatch, operator: { name: by } }) {
        refuseFileKey(context, name)
        const { expiresAt, budgets, ...fields } = body as KeyPatchInput
        const patch: KeyPatch = {
          ...fields,
          ...(expiresAt === undefined ? {} : { expiresAtMs: readTimeOf('expiresAt', expiresAt) }),
          ...(budgets === undefined ? {} : { budgets: readInline(budgets) }),
        }
        const store = storeOf(context)
        const before = await store.getKey(name)
        const key = await store.updateKey(name, patch, { by, ifVersion: versionOf(ifMatch) })
        context.audit.log({ by, action: 'key.update', target: name, before, after: key })
        return { status: 200, body: shown(key), headers: etagOf(key.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'POST', path: '/admin/v1/keys/:name/rotate', role: 'write', body: RotateBody },
      summary: 'Give a key a new secret; the one before stays valid for a while',
      description: `Streams and sockets of the key go on. ${NEEDS_VERSION}`,
      answers: {
        200: { description: 'The key with its new secret', schema: KeyWithSecret, headers: ['etag'] },
        404: UNKNOWN,
        409: refused('The key is one of the configuration file, or too many of its secrets would be valid at a time.'),
        412: STALE,
      },
      async act({ name, body, ifMatch, operator: { name: by } }) {
        refuseFileKey(context, name)
        const { overlapMs } = body
        const change = { by, ifVersion: versionOf(ifMatch) }
        const { key, secret } = await storeOf(context).rotateKey(name, { overlapMs }, change)
        context.audit.log({ by, action: 'key.rotate', target: name, before: null, after: key })
        return { status: 200, body: { ...shown(key), secret }, headers: etagOf(key.version) }
      },
    }),
    adminRoute({
      ...{ ...row, method: 'DELETE', path: '/admin/v1/keys/:name', role: 'write' },
      summary:
        'Delete a key; a new key of its name inherits nothing. Its open requests end if server.endRequestsOfRemovedKeys is set',
      description: NEEDS_VERSION,
      answers: { 204: { description: 'It is deleted' }, 404: UNKNOWN, 409: CONFLICT, 412: STALE },
      async act({ name, ifMatch, operator: { name: by } }) {
        refuseFileKey(context, name)
        const store = storeOf(context)
        const before = await store.getKey(name)
        await store.deleteKey(name, { by, ifVersion: versionOf(ifMatch) })
        context.audit.log({ by, action: 'key.delete', target: name, before, after: null })
        return { status: 204, body: null }
      },
    }),
  ]
}

type KeyPatchInput = Omit<KeyPatch, 'expiresAtMs' | 'budgets'> & {
  readonly expiresAt?: string | null
  readonly budgets?: Static<typeof InlineBudgets>
}

type KeyQuery = { readonly after?: string; readonly limit: number; readonly team?: string }

async function listKeys(context: AdminContext, { after, limit, team }: KeyQuery): Promise<AdminAnswer> {
  const store = context.accounts()
  const ofFile = after === undefined && team === undefined ? context.fileKeys().map(shownOfFile) : []
  const page = { after: after ?? null, limit, ...(team === undefined ? {} : { team }) }
  const { keys, next } = store === null ? { keys: [], next: null } : await store.listKeys(page)
  return { status: 200, body: { data: [...ofFile, ...keys.map(shown)], next } }
}

/** @throws conflict */
function refuseFileKey({ fileKeys }: AdminContext, name: string): void {
  if (!fileKeys().some((key) => key.name === name)) return
  throw new GatewayError('conflict', { message: `${name} is a key of the configuration file, and is changed there.` })
}

function shown({
  version: _,
  createdAtMs,
  rotatedAtMs,
  expiresAtMs,
  lastUsedAtMs,
  secrets,
  budgets,
  ...key
}: KeyRecord): object {
  return {
    ...key,
    budgets: showInline(budgets),
    source: 'database',
    createdAt: timeText(createdAtMs),
    rotatedAt: timeOrNull(rotatedAtMs),
    expiresAt: timeOrNull(expiresAtMs),
    lastUsedAt: timeOrNull(lastUsedAtMs),
    secrets: secrets.map(({ hint, validUntilMs }) => ({ hint, validUntil: timeOrNull(validUntilMs) })),
  }
}

/** Of its secret nothing is known but a hash. */
function shownOfFile({ name, models, limits }: KeyConfig): object {
  const { requestsPerMinute, tokensPerMinute, concurrency } = limits
  return {
    ...{ id: null, name, source: 'file', team: null, models },
    limits: { requestsPerMinute, tokensPerMinute, concurrency },
    ...{ budgets: [], tags: [], metadata: {}, trustUser: false, disabled: false },
    ...{ createdAt: null, rotatedAt: null, expiresAt: null, lastUsedAt: null, secrets: [] },
  }
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : timeText(ms)
}
