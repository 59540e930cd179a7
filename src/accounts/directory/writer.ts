// The directory's one writer, in the thread that owns the database: a change that is committed there is seen here by all event loops
// at once. It decides which slot an account has, and with it its place in the cells of the limits.
import { GatewayError } from '../../errors.js'
import { type Account, type Listing, type SecretDigest } from '../types.js'
import { Arena, type Move } from './arena.js'
import { DigestTable } from './digest-table.js'
import { type DirectoryMemory, digestOfId, digestOfName, encodeAccount, NO_TEAM, RECORD, SLOT } from './memory.js'
import { type PlaceCells, Places } from './places.js'

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT
/** The longest record that the admin API accepts: 200 model names of 256 characters, all of them escaped, and 100 tags. */
const RESERVED_BYTES = 327_680
const MAX_VERSION = 2 ** 31 - 1

/** What the writer knows of an account that is in the directory. */
type Listed = {
  readonly slot: number
  readonly epoch: number
  /** It never changes. */
  name: string
  digests: readonly SecretDigest[]
  team: string | null
  block: number
  words: number
}

/** `words`: of its record. */
type Sized = Listing & { readonly words: number }

export class DirectoryWriter {
  readonly #maxKeys: number
  readonly #slots: Int32Array
  readonly #records: Int32Array
  readonly #arena: Arena
  readonly #digests: DigestTable
  readonly #keyPlaces: Places
  readonly #teamPlaces: Places
  readonly #listed = new Map<string, Listed>()
  /** Keys of each team, by its id. */
  readonly #teams = new Map<string, number>()
  #version = 0

  /** `cells`: those of the limits; without them every place may be used again at once. */
  constructor(memory: DirectoryMemory, cells: { readonly keys?: PlaceCells; readonly teams?: PlaceCells } = {}) {
    this.#maxKeys = memory.maxKeys
    this.#slots = new Int32Array(memory.slots)
    this.#records = new Int32Array(memory.records)
    this.#arena = new Arena(this.#records.length)
    this.#digests = new DigestTable(memory)
    this.#keyPlaces = new Places(memory.maxKeys, cells.keys)
    this.#teamPlaces = new Places(memory.maxTeams, cells.teams)
  }

  /** Keys in the directory. */
  get size(): number {
    return this.#listed.size
  }

  /** All that is listed: the text of each account, and its secrets. */
  *entries(): Iterable<{ readonly account: string; readonly secrets: readonly SecretDigest[] }> {
    const bytes = Buffer.from(this.#records.buffer)
    for (const { block, digests } of this.#listed.values()) {
      const from = (block + RECORD.words) * WORD_BYTES
      const length = this.#records[block + RECORD.bytes] ?? 0
      yield { account: bytes.toString('utf8', from, from + length), secrets: digests }
    }
  }

  /**
   * Lists an account under these digests and no others, new or changed. Nothing has changed when it throws.
   * @throws storage_full where it does not fit: to be asked before the change is committed, by `check`
   */
  put(account: Account, digests: readonly SecretDigest[]): void {
    const bytes = encodeAccount(account)
    this.#check([{ account, secrets: digests, words: wordsFor(bytes) }])
    const known = this.#listed.get(account.id)
    const listed = known ?? this.#list(account.id)
    const formerTeam = listed.team
    const team = account.team === null ? NO_TEAM : this.#joinTeam(account.team.id)
    listed.team = account.team?.id ?? null
    this.#publish(listed, bytes, team)
    if (formerTeam !== null) this.#leaveTeam(formerTeam)
    const kept = new Set(digests.map(({ digest }) => digest))
    for (const { digest } of listed.digests) if (!kept.has(digest)) this.#digests.remove(digest)
    for (const each of digests) this.#setDigest(listed, each)
    if (known === undefined) {
      listed.name = account.name
      for (const digest of [digestOfId(account.id), digestOfName(account.name)]) {
        this.#setDigest(listed, { digest, validUntilMs: null })
      }
    }
    listed.digests = digests
  }

  /**
   * New and longer records leave room behind them: a full directory must not keep a key from being disabled, or from losing a secret.
   * @throws storage_full where these do not fit all at once
   */
  check(listings: readonly Listing[]): void {
    const sized = listings.map((each) => ({ ...each, words: wordsFor(encodeAccount(each.account)) }))
    const isLonger = sized.some((each) => each.words > (this.#moveOf(each).former?.words ?? 0))
    this.#check(sized, isLonger ? [{ words: RESERVED_BYTES / WORD_BYTES, former: null }] : [])
  }

  /** No effect if it is not there. */
  remove(id: string): void {
    const listed = this.#listed.get(id)
    if (listed === undefined) return
    this.#listed.delete(id)
    for (const { digest } of listed.digests) this.#digests.remove(digest)
    this.#digests.remove(digestOfId(id))
    this.#digests.remove(digestOfName(listed.name))
    Atomics.store(this.#slots, listed.slot * SLOT.words + SLOT.version, 0)
    this.#arena.give(listed.block, listed.words)
    this.#keyPlaces.give(listed.slot)
    if (listed.team !== null) this.#leaveTeam(listed.team)
  }

  #list(id: string): Listed {
    const { place, epoch } = this.#keyPlaces.take()
    const listed = { slot: place, epoch, name: '', digests: [], team: null, block: 0, words: 0 }
    this.#listed.set(id, listed)
    return listed
  }

  /** The record first, whole; then its version; only then is the memory of the former one free. */
  #publish(listed: Listed, bytes: Buffer, team: number): void {
    const words = wordsFor(bytes)
    const block = this.#arena.take(words) ?? 0
    Atomics.store(this.#records, block + RECORD.bytes, bytes.length)
    Atomics.store(this.#records, block + RECORD.epoch, listed.epoch)
    Atomics.store(this.#records, block + RECORD.team, team)
    const text = new Int32Array(words - RECORD.words)
    bytes.copy(new Uint8Array(text.buffer))
    for (let i = 0; i < text.length; i++) Atomics.store(this.#records, block + RECORD.words + i, text[i] ?? 0)
    const slot = listed.slot * SLOT.words
    this.#version = this.#version === MAX_VERSION ? 1 : this.#version + 1
    Atomics.store(this.#slots, slot + SLOT.record, block)
    Atomics.store(this.#slots, slot + SLOT.version, this.#version)
    if (listed.words > 0) this.#arena.give(listed.block, listed.words)
    listed.block = block
    listed.words = words
  }

  #setDigest({ slot, epoch, digests }: Listed, { digest, validUntilMs }: SecretDigest): void {
    const known = digests.find((each) => each.digest === digest)
    if (known?.validUntilMs !== validUntilMs) this.#digests.set(digest, { slot, epoch, validUntilMs })
  }

  #joinTeam(id: string): number {
    this.#teams.set(id, (this.#teams.get(id) ?? 0) + 1)
    return this.#teamPlaces.takeFor(id)
  }

  #leaveTeam(id: string): void {
    const keys = (this.#teams.get(id) ?? 0) - 1
    if (keys > 0) this.#teams.set(id, keys)
    else {
      this.#teams.delete(id)
      this.#teamPlaces.giveFor(id)
    }
  }

  #check(listings: readonly Sized[], further: readonly Move[] = []): void {
    const added = listings.filter(({ account }) => !this.#listed.has(account.id)).length
    if (added > 0 && !this.#keyPlaces.hasRoom(added)) {
      const busy = this.size < this.#maxKeys ? ' Requests of deleted keys are still running; try again shortly.' : ''
      throw full(`The directory of keys is full: accounts.maxKeys is ${this.#maxKeys}.${busy}`)
    }
    const teams = new Set(
      listings.flatMap(({ account: { team } }) => team?.id ?? []).filter((id) => !this.#teams.has(id)),
    )
    if (teams.size > 0 && !this.#teamPlaces.hasRoomFor(teams)) {
      throw full(`The directory of keys is full: no more than ${this.#teamPlaces.capacity} teams may have keys.`)
    }
    // One more, since a digest whose time changes has an entry beside its present one for a moment.
    const digests = listings.reduce((sum, each) => sum + this.#furtherDigests(each), 0) + 1
    if (
      this.#digests.room < digests ||
      !this.#arena.fits([...listings.map((each) => this.#moveOf(each)), ...further])
    ) {
      throw full('The directory of keys has no memory for this. Raise accounts.maxKeys and restart the gateway.')
    }
  }

  /** Those before are given back first. */
  #furtherDigests({ account, secrets }: Sized): number {
    const listed = this.#listed.get(account.id)
    return secrets.length - (listed === undefined ? -2 : listed.digests.length)
  }

  /** The present version stays beside the new one: readers use it until that is published. */
  #moveOf({ account, words }: Sized): Move {
    const listed = this.#listed.get(account.id)
    return { words, former: listed === undefined || listed.words === 0 ? null : listed }
  }
}

function wordsFor(bytes: Buffer): number {
  return RECORD.words + Math.ceil(bytes.length / WORD_BYTES)
}

function full(message: string): GatewayError {
  return new GatewayError('storage_full', { message })
}
