// Keys in the database: each call within a transaction of its caller's. Of a secret only its SHA-256 and its last characters are written;
// the secret itself is in the answer of the call that made it, and nowhere else. @see store.ts for what the calls promise.
import { isDeepStrictEqual } from 'node:util'
import { type Selectable } from 'kysely'
import { GatewayError } from '../../errors.js'
import { createId, createSecret } from '../secret.js'
import { type AccountCalls, type By, type Change, type KeyUse } from '../store.js'
import { type KeyPatch, type KeyRecord, MAX_SECRETS, type NewKey } from '../types.js'
import { Budgets, sortTerms } from './budgets/budgets.js'
import { beginChange, checkVersion, recordChange } from './changes.js'
import { type Database, type Ground, type KeyRow, keyColumnsOf, keyRecordOf, limitColumnsOf } from './rows.js'
import { type SecretTable } from './schema.js'
import { Teams } from './teams.js'

/** Names of one statement: its parameters are limited. */
const MAX_NAMES = 500

/** The keys of one transaction. */
export class Keys {
  readonly #db: Database
  readonly #ground: Ground
  readonly #teams: Teams
  readonly #budgets: Budgets

  constructor(db: Database, ground: Ground) {
    this.#db = db
    this.#ground = ground
    this.#teams = new Teams(db, ground)
    this.#budgets = new Budgets(db, ground)
  }

  async create(key: NewKey, { by }: By): ReturnType<AccountCalls['createKey']> {
    const { budgets = [] } = key
    this.#budgets.checkAllowed(budgets)
    const { revision, keyCount } = await beginChange(this.#db)
    const existing = await this.get(key.name)
    if (existing !== null) {
      if (isDeepStrictEqual(contentsOf(existing), contentsOf(key))) return { key: existing, secret: null }
      throw new GatewayError('conflict', { message: `There is a key ${key.name} with other contents.` })
    }
    const teamId = await this.#teamIdOf(key.team)
    this.#checkRoom(key.name, keyCount)
    const atMs = this.#ground.nowMs()
    const id = createId('key', this.#ground.random)
    await this.#db
      .insertInto('keys')
      .values({
        id,
        name: key.name,
        team_id: teamId,
        models: JSON.stringify(key.models),
        tags: JSON.stringify(key.tags),
        metadata: JSON.stringify(key.metadata),
        ...limitColumnsOf(key.limits),
        trust_user: key.trustUser ? 1 : 0,
        disabled: key.disabled ? 1 : 0,
        created_at_ms: atMs,
        rotated_at_ms: null,
        expires_at_ms: key.expiresAtMs,
        version: revision,
      })
      .execute()
    await this.#count(keyCount + 1)
    const secret = await this.#addSecret(id, atMs)
    await this.#budgets.putInline({ kind: 'key', id, name: key.name }, budgets, revision)
    const after = await this.find(key.name)
    const entry = { atMs, by, action: 'key.create', target: key.name, targetId: id, before: null, after }
    await recordChange(this.#db, revision, entry)
    return { key: after, secret }
  }

  async get(name: string): Promise<KeyRecord | null> {
    const row = await this.#rows().where('keys.name', '=', name).executeTakeFirst()
    if (row === undefined) return null
    const { id } = row
    const budgets = (await this.#budgets.inlineOf([id])).get(id) ?? []
    return this.#recordOf(row, { secrets: await this.#secretsOf([id]), budgets })
  }

  async list({ after, limit, team }: Parameters<AccountCalls['listKeys']>[0]): ReturnType<AccountCalls['listKeys']> {
    const found = await this.#rows()
      .$if(after !== null, (query) => query.where('keys.name', '>', after ?? ''))
      .$if(team !== undefined, (query) => query.where('teams.name', '=', team ?? ''))
      .orderBy('keys.name')
      .limit(limit + 1)
      .execute()
    const rows = found.slice(0, limit)
    const ids = rows.map(({ id }) => id)
    const [secrets, inline] = [await this.#secretsOf(ids), await this.#budgets.inlineOf(ids)]
    const keys = rows.map((row) => this.#recordOf(row, { secrets, budgets: inline.get(row.id) ?? [] }))
    return { keys, next: found.length > limit ? (keys.at(-1)?.name ?? null) : null }
  }

  async update(name: string, patch: KeyPatch, change: Change): Promise<KeyRecord> {
    const { budgets } = patch
    this.#budgets.checkAllowed(budgets ?? [])
    const { revision } = await beginChange(this.#db)
    const before = await this.find(name)
    checkVersion(before, change)
    const team = patch.team === undefined ? {} : { team_id: await this.#teamIdOf(patch.team) }
    await this.#db
      .updateTable('keys')
      .set({ ...keyColumnsOf(patch), ...team, version: revision })
      .where('id', '=', before.id)
      .execute()
    if (budgets !== undefined) await this.#budgets.putInline({ kind: 'key', id: before.id, name }, budgets, revision)
    return this.#recordUpdate({ before, revision, by: change.by, action: 'key.update' })
  }

  async rotate(
    name: string,
    { overlapMs }: { readonly overlapMs: number },
    change: Change,
  ): ReturnType<AccountCalls['rotateKey']> {
    const { revision } = await beginChange(this.#db)
    const before = await this.find(name)
    checkVersion(before, change)
    const atMs = this.#ground.nowMs()
    if (overlapMs > 0) await this.#keepSecrets(before, atMs, overlapMs)
    else await this.#db.deleteFrom('secrets').where('key_id', '=', before.id).execute()
    const secret = await this.#addSecret(before.id, atMs)
    await this.#db
      .updateTable('keys')
      .set({ rotated_at_ms: atMs, version: revision })
      .where('id', '=', before.id)
      .execute()
    const key = await this.#recordUpdate({ before, revision, by: change.by, action: 'key.rotate' })
    return { key, secret }
  }

  async delete(name: string, change: Change): Promise<void> {
    const { revision, keyCount } = await beginChange(this.#db)
    const before = await this.find(name)
    checkVersion(before, change)
    const { id: targetId } = before
    await this.#db.deleteFrom('secrets').where('key_id', '=', targetId).execute()
    await this.#db.deleteFrom('uses').where('key_id', '=', targetId).execute()
    await this.#budgets.deleteOf(targetId)
    await this.#db.deleteFrom('keys').where('id', '=', targetId).execute()
    await this.#count(keyCount - 1)
    const entry = { atMs: this.#ground.nowMs(), by: change.by, action: 'key.delete', target: name, targetId }
    await recordChange(this.#db, revision, { ...entry, before, after: null })
  }

  /** @throws not_found */
  async find(name: string): Promise<KeyRecord> {
    const key = await this.get(name)
    if (key === null) throw new GatewayError('not_found', { message: `There is no key ${name}.` })
    return key
  }

  /** Writes when keys were last used; those that are gone by now are left out. */
  async noteUses(uses: readonly KeyUse[]): Promise<void> {
    const ids = uses.map(({ id }) => id)
    const found = await this.#db.selectFrom('keys').select('id').where('id', 'in', ids).execute()
    const present = new Set(found.map(({ id }) => id))
    const rows = uses.filter(({ id }) => present.has(id)).map(({ id, atMs }) => ({ key_id: id, last_used_at_ms: atMs }))
    if (rows.length === 0) return
    await this.#db
      .insertInto('uses')
      .values(rows)
      .onConflict((conflict) =>
        conflict
          .column('key_id')
          .doUpdateSet((row) => ({ last_used_at_ms: row.ref('excluded.last_used_at_ms') }))
          // Another node may have seen it later.
          .whereRef('excluded.last_used_at_ms', '>', 'uses.last_used_at_ms'),
      )
      .execute()
  }

  #rows() {
    return this.#db
      .selectFrom('keys')
      .leftJoin('teams', 'teams.id', 'keys.team_id')
      .leftJoin('uses', 'uses.key_id', 'keys.id')
      .selectAll('keys')
      .select(['teams.name as team', 'uses.last_used_at_ms'])
  }

  async #secretsOf(keyIds: readonly string[]): Promise<readonly Selectable<SecretTable>[]> {
    if (keyIds.length === 0) return []
    return this.#db.selectFrom('secrets').selectAll().where('key_id', 'in', keyIds).execute()
  }

  #recordOf(row: KeyRow, parts: Parameters<typeof keyRecordOf>[1]): KeyRecord {
    return keyRecordOf(row, parts, this.#ground.nowMs())
  }

  /** @throws not_found */
  async #teamIdOf(name: string | null): Promise<string | null> {
    return name === null ? null : (await this.#teams.find(name)).id
  }

  #checkRoom(name: string, keyCount: number): void {
    const { isReserved, maxKeys } = this.#ground
    if (isReserved(name)) {
      throw new GatewayError('conflict', { message: `${name} is the name of a key of the configuration file.` })
    }
    if (keyCount < maxKeys) return
    const message = `There are ${keyCount} keys, and accounts.maxKeys is ${maxKeys}.`
    throw new GatewayError('storage_full', { message, retryable: false })
  }

  async #count(keyCount: number): Promise<void> {
    await this.#db.updateTable('state').set({ key_count: keyCount }).execute()
  }

  async #addSecret(keyId: string, atMs: number): Promise<string> {
    const { secret, digest, hint } = createSecret(this.#ground.random)
    const row = { digest, key_id: keyId, hint, created_at_ms: atMs, valid_until_ms: null }
    await this.#db.insertInto('secrets').values(row).execute()
    return secret
  }

  /** Sets an end to the newest secret, and clears away those that have ended. @throws conflict where too many stay valid */
  async #keepSecrets({ id, name, secrets }: KeyRecord, atMs: number, overlapMs: number): Promise<void> {
    if (secrets.length >= MAX_SECRETS) {
      const message = `${secrets.length} secrets of ${name} are valid, and no more can be. Wait until one has ended, or rotate with overlapMs 0, which ends all of them.`
      throw new GatewayError('conflict', { message })
    }
    await this.#db.deleteFrom('secrets').where('key_id', '=', id).where('valid_until_ms', '<=', atMs).execute()
    await this.#db
      .updateTable('secrets')
      .set({ valid_until_ms: atMs + overlapMs })
      .where('key_id', '=', id)
      .where('valid_until_ms', 'is', null)
      .execute()
  }

  async #recordUpdate({
    before,
    revision,
    ...who
  }: {
    readonly before: KeyRecord
    readonly revision: number
    readonly by: string
    readonly action: string
  }): Promise<KeyRecord> {
    const after = await this.find(before.name)
    const entry = { ...who, atMs: this.#ground.nowMs(), target: before.name, targetId: before.id, before, after }
    await recordChange(this.#db, revision, entry)
    return after
  }
}

function contentsOf(key: NewKey): NewKey {
  const { name, team, models, limits, tags, metadata, trustUser, disabled, expiresAtMs, budgets = [] } = key
  const sorted = sortTerms([...budgets])
  return { name, team, models, limits, tags, metadata, trustUser, disabled, expiresAtMs, budgets: sorted }
}

/** One of these names that a key of the database has. */
export async function takenName(db: Database, names: readonly string[]): Promise<string | null> {
  for (let i = 0; i < names.length; i += MAX_NAMES) {
    const some = names.slice(i, i + MAX_NAMES)
    const row = await db.selectFrom('keys').select('name').where('name', 'in', some).limit(1).executeTakeFirst()
    if (row !== undefined) return row.name
  }
  return null
}

/** The refusal of such a name. */
export function nameTaken(name: string): GatewayError {
  const message = `keys: ${name} is also the name of a key in the account database. Rename the one in the configuration file, or delete the other.`
  return new GatewayError('misconfigured', { message })
}
