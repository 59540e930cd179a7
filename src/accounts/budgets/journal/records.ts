// The records of a journal as bytes: appended to memory in a microsecond, without text, and found again in a file of which a power cut has
// left parts. Words of eight bytes, in the order of the processor: a journal is read by the machine that wrote it.
//
//   file      MAGIC | record ...
//   record    kind (1 byte), words (3 bytes), checksum (4 bytes) | numbers, as doubles
//   place     place, beginning of its window, bytes of the budget's id | the id      names a budget and a window for what comes after it
//   reserve   reservation | place, nano-dollars, tokens ...
//   extend    reservation | place, nano-dollars, tokens ...                          it holds more
//   settle    reservation, settlement of this journal | place, nano-dollars, tokens ...
//
// A record counts if its checksum is right, wherever it begins: what is between two of them is passed over.
import { type Charge } from '../../types.js'
import { ChargeSums } from '../charge.js'

const WORD = 8
/** The last byte is the version of the format. */
export const MAGIC = Buffer.from('SLUICEJ\x01', 'latin1')
const KIND = Object.freeze({ place: 1, reserve: 2, extend: 3, settle: 4 })
type ChargeKind = (typeof KIND)['reserve' | 'extend' | 'settle']
const HEAD_WORDS = 1
const PLACE_NUMBERS = 3
const CHARGE_NUMBERS = 3
const WORDS_SHIFT = 8
const KIND_MASK = 0xff
const INT32_BYTES = 4
/** Spreads each bit over the word (2^32 divided by the golden ratio). */
const SPREAD = 0x9e3779b1
/** Twenty records; grows with what waits, such as while the disk is full. */
const FIRST_BYTES = 4096

type Place = { readonly windowStartMs: number; readonly number: number }

/** Records that wait to be written to one journal. */
export class JournalRecords {
  #doubles = new Float64Array(FIRST_BYTES / WORD)
  #ints = new Int32Array(this.#doubles.buffer)
  #bytes = Buffer.from(this.#doubles.buffer)
  /** In words. */
  #end = 0
  /** Of each budget the one that was named last. */
  readonly #places = new Map<string, Place>()
  #placeCount = 0

  get isEmpty(): boolean {
    return this.#end === 0
  }

  /** Valid until the next change. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#end * WORD)
  }

  reserve(n: number, charges: readonly Charge[]): void {
    this.#add(KIND.reserve, n, 0, charges)
  }

  extend(n: number, charges: readonly Charge[]): void {
    this.#add(KIND.extend, n, 0, charges)
  }

  settle(n: number, sequence: number, charges: readonly Charge[]): void {
    this.#add(KIND.settle, n, sequence, charges)
  }

  /** Takes all reservations away; the places that were named for them stay. */
  dropReservations(): void {
    let kept = 0
    for (let at = 0; at < this.#end; ) {
      const head = this.#ints[at * 2] as number
      const next = at + (head >>> WORDS_SHIFT)
      if ((head & KIND_MASK) !== KIND.reserve) {
        this.#doubles.copyWithin(kept, at, next)
        kept += next - at
      }
      at = next
    }
    this.#end = kept
  }

  clear(): void {
    this.#end = 0
  }

  #add(kind: ChargeKind, n: number, sequence: number, charges: readonly Charge[]): void {
    const count = numbersBefore(kind) + charges.length * CHARGE_NUMBERS
    this.#makeRoom(HEAD_WORDS + count)
    let at = this.#end + HEAD_WORDS
    this.#doubles[at++] = n
    if (kind === KIND.settle) this.#doubles[at++] = sequence
    for (const charge of charges) {
      const place = this.#places.get(charge.budgetId)
      if (place === undefined || place.windowStartMs !== charge.windowStartMs) {
        // Its name first, where this record has begun.
        this.#name(charge)
        this.#add(kind, n, sequence, charges)
        return
      }
      this.#doubles[at++] = place.number
      this.#doubles[at++] = charge.nano
      this.#doubles[at++] = charge.tokens
    }
    this.#close(kind, at)
  }

  #name({ budgetId, windowStartMs }: Charge): void {
    this.#placeCount += 1
    const number = this.#placeCount
    this.#places.set(budgetId, { windowStartMs, number })
    const id = Buffer.from(budgetId)
    const words = HEAD_WORDS + PLACE_NUMBERS + Math.ceil(id.length / WORD)
    this.#makeRoom(words)
    const at = this.#end + HEAD_WORDS
    this.#doubles.set([number, windowStartMs, id.length], at)
    const textAt = (at + PLACE_NUMBERS) * WORD
    this.#bytes.fill(0, textAt, (this.#end + words) * WORD)
    this.#bytes.set(id, textAt)
    this.#close(KIND.place, this.#end + words)
  }

  /** Writes the head of a record that ends at this word. */
  #close(kind: number, end: number): void {
    const at = this.#end * 2
    const head = kind | ((end - this.#end) << WORDS_SHIFT)
    let sum = head
    for (let i = at + 2; i < end * 2; i++) sum = mix(sum, this.#ints[i] as number)
    this.#ints[at] = head
    this.#ints[at + 1] = sum
    this.#end = end
  }

  #makeRoom(words: number): void {
    const needed = this.#end + words
    if (needed <= this.#doubles.length) return
    const larger = new Float64Array(Math.max(needed, this.#doubles.length * 2))
    larger.set(this.#doubles.subarray(0, this.#end))
    this.#doubles = larger
    this.#ints = new Int32Array(larger.buffer)
    this.#bytes = Buffer.from(larger.buffer)
  }
}

function mix(sum: number, int: number): number {
  return Math.imul(((sum << 5) | (sum >>> 27)) ^ int, SPREAD)
}

/** Of a record, before its charges. */
function numbersBefore(kind: number): number {
  return kind === KIND.settle ? 2 : 1
}

/**
 * What a journal that its process has left says: settlements after one of a number, and what is still held, as sums.
 * @throws Error for a file that another version has written, or that is no journal
 */
export function readJournal(bytes: Uint8Array, afterSequence: number): { charges: Charge[]; sequence: number } {
  if (!isJournal(bytes)) throw new Error('it is no journal of this version')
  const open = new Map<number, Charge[]>()
  const sums = new ChargeSums()
  let last = afterSequence
  for (const { kind, n, sequence, charges } of recordsIn(bytes)) {
    if (kind === KIND.reserve) open.set(n, charges)
    else if (kind === KIND.extend) open.get(n)?.push(...charges)
    else {
      open.delete(n)
      if (sequence <= afterSequence) continue
      last = Math.max(last, sequence)
      for (const charge of charges) sums.add(charge)
    }
  }
  for (const charges of open.values()) for (const charge of charges) sums.add(charge)
  return { charges: sums.all, sequence: last }
}

/** A power cut may have left less than its beginning, or zeros in its place. */
function isJournal(bytes: Uint8Array): boolean {
  const begin = bytes.subarray(0, MAGIC.length)
  return MAGIC.subarray(0, begin.length).equals(begin) || begin.every((byte) => byte === 0)
}

type ChargeRecord = {
  readonly kind: number
  readonly n: number
  readonly sequence: number
  readonly charges: Charge[]
}

function* recordsIn(bytes: Uint8Array): Generator<ChargeRecord> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const places = new Map<number, Pick<Charge, 'budgetId' | 'windowStartMs'>>()
  for (let at = 0; at + WORD <= bytes.length; ) {
    const kind = kindAt(view, at)
    if (kind === null) {
      at += 1
      continue
    }
    const end = endOf(view, at)
    if (kind === KIND.place) {
      const [number = 0, windowStartMs = 0, length = 0] = numbersAt(view, at + WORD, PLACE_NUMBERS)
      const from = at + (HEAD_WORDS + PLACE_NUMBERS) * WORD
      places.set(number, { windowStartMs, budgetId: Buffer.from(bytes.subarray(from, from + length)).toString() })
    } else yield chargeRecord(kind, numbersAt(view, at + WORD, (end - at) / WORD - HEAD_WORDS), places)
    at = end
  }
}

function chargeRecord(
  kind: number,
  numbers: readonly number[],
  places: ReadonlyMap<number, Pick<Charge, 'budgetId' | 'windowStartMs'>>,
): ChargeRecord {
  const before = numbersBefore(kind)
  const [n = 0, sequence = 0] = numbers.slice(0, before)
  const charges: Charge[] = []
  for (let i = before; i < numbers.length; i += CHARGE_NUMBERS) {
    const [number = 0, nano = 0, tokens = 0] = numbers.slice(i, i + CHARGE_NUMBERS)
    const place = places.get(number)
    // Its name was lost with the machine.
    if (place !== undefined) charges.push({ ...place, nano, tokens })
  }
  return { kind, n, sequence, charges }
}

/** The kind of the record that begins at this byte; null for none. */
function kindAt(view: DataView, at: number): number | null {
  const head = view.getInt32(at, IS_LITTLE)
  const kind = head & KIND_MASK
  const end = endOf(view, at)
  const words = (end - at) / WORD
  const least = HEAD_WORDS + (kind === KIND.place ? PLACE_NUMBERS : numbersBefore(kind))
  if (kind < KIND.place || kind > KIND.settle || words < least || end > view.byteLength) return null
  let sum = head
  for (let i = at + WORD; i < end; i += INT32_BYTES) sum = mix(sum, view.getInt32(i, IS_LITTLE))
  return sum === view.getInt32(at + INT32_BYTES, IS_LITTLE) ? kind : null
}

function endOf(view: DataView, at: number): number {
  return at + (view.getInt32(at, IS_LITTLE) >>> WORDS_SHIFT) * WORD
}

function numbersAt(view: DataView, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => view.getFloat64(at + i * WORD, IS_LITTLE))
}

/** The order of bytes of typed arrays here. */
const IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
