// Teams in the database: each call within a transaction of its caller's. @see store.ts for what the calls promise.
import { isDeepStrictEqual } from 'node:util'
import { GatewayError } from '../../errors.js'
import { createId } from '../secret.js'
import { type AccountCalls, type By, type Change, type Page } from '../store.js'
import { type NewTeam, type TeamPatch, type TeamRecord } from '../types.js'
import { Budgets, sortTerms } from './budgets/budgets.js'
import { beginChange, checkVersion, recordChange } from './changes.js'
import { type Database, type Ground, limitColumnsOf, sharedColumnsOf, teamRecordOf } from './rows.js'

/** The teams of one transaction. */
export class Teams {
  readonly #db: Database
  readonly #ground: Ground
  readonly #budgets: Budgets

  constructor(db: Database, ground: Ground) {
    this.#db = db
    this.#ground = ground
    this.#budgets = new Budgets(db, ground)
  }

  async create(team: NewTeam, { by }: By): ReturnType<AccountCalls['createTeam']> {
    const { budgets = [] } = team
    this.#budgets.checkAllowed(budgets)
    const { revision } = await beginChange(this.#db)
    const existing = await this.get(team.name)
    if (existing !== null) {
      if (isDeepStrictEqual(contentsOf(existing), contentsOf(team))) return { team: existing, isNew: false }
      throw new GatewayError('conflict', { message: `There is a team ${team.name} with other contents.` })
    }
    const atMs = this.#ground.nowMs()
    const id = createId('team', this.#ground.random)
    await this.#db
      .insertInto('teams')
      .values({
        id,
        name: team.name,
        models: JSON.stringify(team.models),
        metadata: JSON.stringify(team.metadata),
        ...limitColumnsOf(team.limits),
        disabled: team.disabled ? 1 : 0,
        created_at_ms: atMs,
        version: revision,
      })
      .execute()
    await this.#budgets.putInline({ kind: 'team', id, name: team.name }, budgets, revision)
    const after = await this.find(team.name)
    const entry = { atMs, by, action: 'team.create', target: team.name, targetId: id, before: null, after }
    await recordChange(this.#db, revision, entry)
    return { team: after, isNew: true }
  }

  async get(name: string): Promise<TeamRecord | null> {
    const row = await this.#db.selectFrom('teams').selectAll().where('name', '=', name).executeTakeFirst()
    return row === undefined ? null : teamRecordOf(row, (await this.#budgets.inlineOf([row.id])).get(row.id) ?? [])
  }

  async list({ after, limit }: Page<string>): ReturnType<AccountCalls['listTeams']> {
    const rows = await this.#db
      .selectFrom('teams')
      .selectAll()
      .$if(after !== null, (query) => query.where('name', '>', after ?? ''))
      .orderBy('name')
      .limit(limit + 1)
      .execute()
    const shown = rows.slice(0, limit)
    const inline = await this.#budgets.inlineOf(shown.map(({ id }) => id))
    const teams = shown.map((row) => teamRecordOf(row, inline.get(row.id) ?? []))
    return { teams, next: rows.length > limit ? (teams.at(-1)?.name ?? null) : null }
  }

  async update(name: string, patch: TeamPatch, change: Change): Promise<TeamRecord> {
    const { budgets } = patch
    this.#budgets.checkAllowed(budgets ?? [])
    const { revision } = await beginChange(this.#db)
    const before = await this.find(name)
    checkVersion(before, change)
    await this.#db
      .updateTable('teams')
      .set({ ...sharedColumnsOf(patch), version: revision })
      .where('id', '=', before.id)
      .execute()
    if (budgets !== undefined) await this.#budgets.putInline({ kind: 'team', id: before.id, name }, budgets, revision)
    const after = await this.find(name)
    const { id: targetId } = before
    const entry = { atMs: this.#ground.nowMs(), by: change.by, action: 'team.update', target: name, targetId }
    await recordChange(this.#db, revision, { ...entry, before, after })
    return after
  }

  async delete(name: string, change: Change): Promise<void> {
    const { revision } = await beginChange(this.#db)
    const before = await this.find(name)
    checkVersion(before, change)
    const { id: targetId } = before
    const key = await this.#db.selectFrom('keys').select('name').where('team_id', '=', targetId).limit(1).execute()
    if (key[0] !== undefined) {
      const message = `Team ${name} still has keys, such as ${key[0].name}. Delete them or move them to another team first.`
      throw new GatewayError('conflict', { message })
    }
    await this.#budgets.deleteOf(targetId)
    await this.#db.deleteFrom('teams').where('id', '=', targetId).execute()
    const entry = { atMs: this.#ground.nowMs(), by: change.by, action: 'team.delete', target: name, targetId }
    await recordChange(this.#db, revision, { ...entry, before, after: null })
  }

  /** @throws not_found */
  async find(name: string): Promise<TeamRecord> {
    const team = await this.get(name)
    if (team === null) throw new GatewayError('not_found', { message: `There is no team ${name}.` })
    return team
  }
}

function contentsOf({ name, models, limits, metadata, disabled, budgets = [] }: NewTeam): NewTeam {
  return { name, models, limits, metadata, disabled, budgets: sortTerms([...budgets]) }
}
