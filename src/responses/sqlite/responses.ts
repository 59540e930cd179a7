// The calls of the embedded store of answers, each inside a transaction that is not its own.
import { type Connection } from '../../sqlite/database-file.js'
import {
  bytesOf,
  changeBytesOf,
  type FoundItems,
  type IndexedResponse,
  type ItemSpan,
  type ResponseCaps,
  type ResponseChange,
  type StoredResponse,
  tooLarge,
} from '../store.js'

/** Expired answers that one write removes: more than it adds, and no long wait. */
const EXPIRED_A_WRITE = 20

type Row = Omit<StoredResponse, 'id' | 'owner'>
type Stored = { readonly bytes: number }
type Open = { readonly seq: number; readonly inputBytes: number; readonly bytes: number }
/** What is about to be stored; `seq`: in place of that row, which makes no room for itself. */
type Wanted = { readonly owner: string; readonly bytes: number; readonly seq: number }

export class SqliteResponses {
  readonly #statements: ReturnType<typeof prepare>
  readonly #nowMs: () => number

  constructor(connection: Connection, nowMs: () => number) {
    this.#statements = prepare(connection)
    this.#nowMs = nowMs
  }

  put(response: IndexedResponse, caps: ResponseCaps): void {
    const { id, owner, model, phase, streamId, input, expiresAtMs } = response
    const bytes = bytesOf(response)
    if (bytes > Math.min(caps.maxBytes, caps.maxBytesPerKey)) throw tooLarge(bytes)
    const { removeId, insert, insertInput, insertAnswer } = this.#statements
    this.removeExpired()
    removeId.run({ id })
    this.#makeRoom({ owner, bytes, seq: 0 }, caps)
    const inputBytes = input.byteLength
    const { lastInsertRowid } = insert.run({ id, owner, model, phase, streamId, inputBytes, bytes, expiresAtMs })
    const seq = Number(lastInsertRowid)
    insertInput.run({ seq, input: bufferOf(input) })
    insertAnswer.run({ seq, response: bufferOf(response.response) })
    this.#insertItems(seq, response)
  }

  advance(change: ResponseChange, caps: ResponseCaps): boolean {
    const { id, owner, phase, streamId, expiresAtMs } = change
    const { open, update, updateAnswer, removeItems } = this.#statements
    const before = open.get({ id, owner, now: this.#nowMs() }) as Open | undefined
    if (before === undefined) return false
    const { seq } = before
    const bytes = before.inputBytes + changeBytesOf(change)
    if (bytes > Math.min(caps.maxBytes, caps.maxBytesPerKey)) throw tooLarge(bytes)
    this.#makeRoom({ owner, bytes: bytes - before.bytes, seq }, caps)
    update.run({ seq, phase, streamId, bytes, expiresAtMs })
    updateAnswer.run({ seq, response: bufferOf(change.response) })
    removeItems.run({ seq })
    this.#insertItems(seq, change)
    return true
  }

  get(owner: string, id: string): StoredResponse | null {
    const row = this.#statements.get.get({ id, owner, now: this.#nowMs() }) as Row | undefined
    if (row === undefined) return null
    const { model, phase, streamId, expiresAtMs, input, response } = row
    return { id, owner, model, phase, streamId, expiresAtMs, input, response }
  }

  delete(owner: string, id: string): boolean {
    return this.#statements.remove.get({ id, owner, now: this.#nowMs() }) !== undefined
  }

  findItems(owner: string, ids: readonly string[]): FoundItems {
    const now = this.#nowMs()
    return ids.map((id) => {
      const row = this.#statements.item.get({ owner, id, now }) as { readonly text: Uint8Array } | undefined
      return row?.text ?? null
    })
  }

  /** Some of those that nobody finds any more. */
  removeExpired(): void {
    this.#statements.removeExpired.run({ now: this.#nowMs(), limit: EXPIRED_A_WRITE })
  }

  #makeRoom({ owner, bytes, seq }: Wanted, { maxBytes, maxBytesPerKey }: ResponseCaps): void {
    const { total, removeOldest } = this.#statements
    while (this.#bytesOf(owner) + bytes > maxBytesPerKey) if (!removeOldest.get({ owner, seq })) break
    while ((total.get() as Stored).bytes + bytes > maxBytes) {
      if (!removeOldest.get({ owner: this.#largest({ owner, bytes, seq }), seq })) break
    }
  }

  /** The owner that has the most, with what this one is about to have. */
  #largest({ owner, bytes, seq }: Wanted): string {
    const { largestOther, hasOther } = this.#statements
    const other = largestOther.get({ owner }) as (Stored & { readonly owner: string }) | undefined
    if (other === undefined) return owner
    const isOwn = hasOther.get({ owner, seq }) !== undefined && this.#bytesOf(owner) + bytes >= other.bytes
    return isOwn ? owner : other.owner
  }

  #bytesOf(owner: string): number {
    return (this.#statements.stored.get({ owner }) as Stored | undefined)?.bytes ?? 0
  }

  #insertItems(seq: number, { owner, items }: { readonly owner: string; readonly items: readonly ItemSpan[] }): void {
    const { insertItem } = this.#statements
    for (const { id, start, end } of items) insertItem.run({ owner, id, seq, start, length: end - start })
  }
}

/** A view of the same bytes: the driver takes only these. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

const MINE = 'id = :id AND owner = :owner AND expires_at > :now'

function prepare(connection: Connection) {
  return {
    insert: connection.prepare(
      `INSERT INTO responses (id, owner, model, phase, stream_id, input_bytes, bytes, expires_at)
       VALUES (:id, :owner, :model, :phase, :streamId, :inputBytes, :bytes, :expiresAtMs)`,
    ),
    insertInput: connection.prepare('INSERT INTO inputs (seq, input) VALUES (:seq, :input)'),
    insertAnswer: connection.prepare('INSERT INTO answers (seq, response) VALUES (:seq, :response)'),
    // The latest answer that has it.
    insertItem: connection.prepare(
      'INSERT OR REPLACE INTO items (owner, id, seq, start, length) VALUES (:owner, :id, :seq, :start, :length)',
    ),
    open: connection.prepare(
      `SELECT seq, input_bytes AS inputBytes, bytes FROM responses WHERE ${MINE} AND phase <> 'over'`,
    ),
    update: connection.prepare(
      `UPDATE responses SET phase = :phase, stream_id = :streamId, bytes = :bytes, expires_at = :expiresAtMs
       WHERE seq = :seq`,
    ),
    updateAnswer: connection.prepare('UPDATE answers SET response = :response WHERE seq = :seq'),
    get: connection.prepare(
      `SELECT model, phase, stream_id AS streamId, expires_at AS expiresAtMs, input, response
       FROM responses JOIN inputs USING (seq) JOIN answers USING (seq) WHERE ${MINE}`,
    ),
    item: connection.prepare(
      `SELECT substr(response, start + 1, length) AS text
       FROM items JOIN responses USING (seq) JOIN answers USING (seq)
       WHERE items.owner = :owner AND items.id = :id AND expires_at > :now`,
    ),
    remove: connection.prepare(`DELETE FROM responses WHERE ${MINE} RETURNING seq`),
    removeId: connection.prepare('DELETE FROM responses WHERE id = :id'),
    removeItems: connection.prepare('DELETE FROM items WHERE seq = :seq'),
    removeOldest: connection.prepare(
      `DELETE FROM responses WHERE seq = (
         SELECT seq FROM responses WHERE owner = :owner AND seq <> :seq ORDER BY seq LIMIT 1
       ) RETURNING seq`,
    ),
    removeExpired: connection.prepare(
      `DELETE FROM responses WHERE seq IN (
         SELECT seq FROM responses WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit
       )`,
    ),
    hasOther: connection.prepare('SELECT 1 FROM responses WHERE owner = :owner AND seq <> :seq LIMIT 1'),
    largestOther: connection.prepare(
      'SELECT owner, bytes FROM owners WHERE owner <> :owner ORDER BY bytes DESC LIMIT 1',
    ),
    stored: connection.prepare('SELECT bytes FROM owners WHERE owner = :owner'),
    total: connection.prepare('SELECT bytes FROM total'),
  }
}
