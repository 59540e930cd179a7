// Which end users of a key are counted apart: so many a day, the rest together. What a key has had today is read once from the database,
// so that a restart begins no further ones; several nodes may each find some more.
import { type Kysely } from 'kysely'
import { OTHER, type UserRollupRow } from '../../rollups/types.js'
import { type Tables } from '../schema.js'

const MAX_USERS = 10_000
/** Of all keys: some 100 MB. */
const MAX_KNOWN = 1_000_000

export class UserNames {
  readonly #maxUsers: number
  #day = 0
  #known = new Map<string, Set<string>>()
  #count = 0

  constructor(maxUsers = MAX_USERS) {
    this.#maxUsers = maxUsers
  }

  /** The name under which the user is counted. */
  async admit(db: Kysely<Tables>, { day, owner, user }: UserRollupRow): Promise<string> {
    // Batches that come late, after midnight, are few.
    if (day > this.#day) {
      this.#day = day
      this.#known = new Map()
      this.#count = 0
    }
    const known = day === this.#day ? (this.#known.get(owner) ?? (await this.#read(db, owner))) : null
    if (known === null || known.has(user)) return user
    if (known.size >= this.#maxUsers || this.#count >= MAX_KNOWN) return OTHER
    known.add(user)
    this.#count += 1
    return user
  }

  async #read(db: Kysely<Tables>, owner: string): Promise<Set<string>> {
    const rows = await db
      .selectFrom('rollup_users')
      .select('user_name')
      .where('day', '=', this.#day)
      .where('owner', '=', owner)
      .limit(this.#maxUsers + 1)
      .execute()
    const known = new Set(rows.map((row) => row.user_name))
    this.#known.set(owner, known)
    this.#count += known.size
    return known
  }
}
