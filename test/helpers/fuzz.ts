// Random inputs with a memory: each property first replays the failures it once had, kept one per line in
// test/fixtures/corpus/<name>.jsonl, and tells a new one as the line to be added there. Inputs are plain JSON for that.
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { type JsonValue } from '../../src/model/json.js'
import { ROOT } from './gateway.js'

/** A longer hunt is a matter of FUZZ_RUNS. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 10_000)

export type Property<T> = {
  /** Of its corpus. */
  readonly name: string
  readonly inputs: fc.Arbitrary<T>
  /** One input in so many, where each takes long. */
  readonly thin?: number
}

/** Checks some 10,000 random inputs and those of the corpus. @throws Error with the input that fails, as small as it gets */
export function assertHolds<T>({ name, inputs, thin = 1 }: Property<T>, holds: (input: T) => boolean): void {
  const file = `test/fixtures/corpus/${name}.jsonl`
  const examples = readCorpus(`${ROOT}${file}`).map((line) => [JSON.parse(line) as T] as [T])
  const property = fc.property(inputs, (input) => holds(input))
  const report = withoutStacks(() => fc.check(property, { numRuns: RUNS / thin + examples.length, examples }))
  if (!report.failed) return
  const [input] = report.counterexample ?? []
  throw new Error(`${String(report.errorInstance ?? 'it does not hold')}\nadd to ${file}: ${JSON.stringify(input)}`)
}

/** Most inputs are refused by an error, whose stack takes longer than the refusal, and which nobody reads. */
function withoutStacks<T>(run: () => T): T {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return run()
  } finally {
    Error.stackTraceLimit = limit
  }
}

function readCorpus(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []
}

/** One change of a JSON tree: at the node of this number (modulo their count) it is replaced, removed, doubled or renamed. */
export type Edit = readonly [node: number, change: 'set' | 'drop' | 'double' | 'wrap' | 'rename', value: JsonValue]

const WORDS = [
  '',
  'x',
  'text',
  'user',
  'tool',
  'assistant',
  'system',
  'auto',
  'data:image/png;base64,AA==',
  '{"a":1}',
  '\ud83d',
]
const LEAVES: JsonValue[] = [null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, ...WORDS]
const NAMES = ['type', 'content', '__proto__', 'constructor', 'toString', 'length', '', 'role', 'name', 'id']

/** Edits of any tree; values of all kinds, most of them wrong wherever they land. */
export function edits(maxLength: number): fc.Arbitrary<Edit[]> {
  const leaf = fc.constantFrom(...LEAVES)
  const value = fc.oneof(
    leaf,
    fc.array(leaf, { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), leaf, { maxKeys: 3 }),
  )
  const change = fc.constantFrom('set' as const, 'drop' as const, 'double' as const, 'wrap' as const, 'rename' as const)
  return fc.array(fc.tuple(fc.nat(400), change, value), { minLength: 1, maxLength })
}

/** A copy of the tree with the edits made one after the other. */
export function edited(tree: JsonValue, changes: readonly Edit[]): JsonValue {
  const root = { tree: JSON.parse(JSON.stringify(tree)) as JsonValue }
  for (const [node, change, value] of changes) {
    const places = placesIn(root)
    const place = places[node % places.length]
    if (place !== undefined) apply(place, change, value)
  }
  return root.tree
}

type Place = { readonly owner: Record<string, JsonValue> | JsonValue[]; readonly key: string }

/** In the order of the text. */
function placesIn(node: JsonValue, places: Place[] = []): Place[] {
  if (typeof node !== 'object' || node === null) return places
  const owner = node as Place['owner']
  for (const [key, child] of Object.entries(owner)) {
    places.push({ owner, key })
    placesIn(child as JsonValue, places)
  }
  return places
}

function apply({ owner, key }: Place, change: Edit[1], value: JsonValue): void {
  const child = (owner as Record<string, JsonValue>)[key] ?? null
  if (change === 'drop' && Array.isArray(owner)) owner.splice(Number(key), 1)
  else if (change === 'drop' && !Array.isArray(owner) && key !== 'tree') delete owner[key]
  else if (change === 'double' && Array.isArray(owner)) owner.push(JSON.parse(JSON.stringify(child)))
  else if (change === 'wrap') set(owner, key, [child])
  else if (change === 'rename' && !Array.isArray(owner)) set(owner, typeof value === 'string' ? value : key, child)
  else set(owner, key, value)
}

/** Also where the key is `__proto__`, which plain assignment would make a prototype. */
function set(owner: Place['owner'], key: string, value: JsonValue): void {
  Object.defineProperty(owner, key, { value, enumerable: true, configurable: true, writable: true })
}

/** At a place (modulo the length) some bytes are overwritten, removed, or put in. */
export type Spoil = readonly [at: number, removed: number, put: string]

/** A few of them, with what makes or breaks a frame. */
export function spoils(): fc.Arbitrary<Spoil[]> {
  const put = fc.constantFrom(
    '',
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '\\',
    '\0',
    '\xff',
    '\xf0',
    '\n',
    '\r',
    ' ',
    'data:',
    '1e9',
  )
  return fc.array(fc.tuple(fc.nat(4000), fc.nat(6), put), { minLength: 1, maxLength: 4 })
}

/** The bytes with these changes, one after the other. */
export function spoiled(bytes: Buffer, changes: readonly Spoil[]): Buffer {
  let text = bytes.toString('latin1')
  for (const [place, removed, put] of changes) {
    const at = place % (text.length + 1)
    text = text.slice(0, at) + put + text.slice(at + removed)
  }
  return Buffer.from(text, 'latin1')
}

/** At a place (modulo the length) a text ends, loses a character, or gets a piece put in. */
export type Alteration = readonly [at: number, kind: 'cut' | 'drop' | 'insert', piece: string]

/** At most two of them, with these pieces. */
export function alterations(...pieces: string[]): fc.Arbitrary<Alteration[]> {
  const kind = fc.constantFrom('cut' as const, 'drop' as const, 'insert' as const)
  return fc.array(fc.tuple(fc.nat(), kind, fc.constantFrom(...pieces)), { maxLength: 2 })
}

/** The text with these changes, one after the other. */
export function altered(text: string, changes: readonly Alteration[]): string {
  return changes.reduce((before, [place, kind, piece]) => {
    const at = place % (before.length + 1)
    if (kind === 'cut') return before.slice(0, at)
    return kind === 'drop' ? before.slice(0, at) + before.slice(at + 1) : before.slice(0, at) + piece + before.slice(at)
  }, text)
}
