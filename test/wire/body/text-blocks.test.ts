// The module that finds where strings end: it is what its text says, and says of each string what a walk over its bytes says.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'tap'
import { BLOCK_BYTES, createTextBlocks, MAX_BLOCKS_BYTES, TextBlocks } from '../../../src/wire/body/text-blocks.js'
import { assertHolds } from '../../helpers/fuzz.js'
import { assemble, findCode, WAT } from '../../helpers/wat.js'

const FILL = 0x7a
const WHOLE_ESCAPES = '"\\/bfnrt'

function blocks(): TextBlocks {
  const created = createTextBlocks()
  if (created === null) throw new Error('no vectors')
  return created
}

/** One byte after the other: the index behind the closing quote, or with all bits inverted the first that is not sound. */
function walk(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === 0x22) return at + 1
    if (byte < 0x20) return ~at
    if (byte !== 0x5c) continue
    const code = String.fromCharCode(bytes[at + 1] ?? 0)
    if (WHOLE_ESCAPES.includes(code)) at += 1
    else if (code === 'u' && /^[\da-f]{4}$/i.test(bytes.toString('latin1', at + 2, at + 6))) at += 5
    else return ~at
  }
  return ~bytes.length
}

/** The same end; or it stopped at a place that is sound up to there, with less than a block before what it could not pass. */
function agrees(each: TextBlocks, bytes: Buffer, from: number): boolean {
  each.load(bytes)
  const [expected, found] = [walk(bytes, from), each.end(from)]
  if (found >= 0) return found === expected
  const stop = ~found
  // From there on the walk comes to the same end: it is not in the middle of an escape.
  if (stop < from || walk(bytes, stop) !== expected) return false
  const obstacle = expected < 0 ? ~expected : expected - 1
  const limit = Math.min(obstacle, bytes.length)
  return limit - stop < BLOCK_BYTES && (expected < 0 || bytes.length - stop < BLOCK_BYTES)
}

test('its bytes are those of its text', async (t) => {
  const source = readFileSync(new URL('text-blocks.ts', WAT), 'utf8')
  const committed = findCode(source).replace(/[^\w+/=]|\+\n/g, '')
  const assembled = Buffer.from(await assemble(WAT)).toString('base64')
  t.equal(committed.replaceAll(/\s/g, ''), assembled, '`npm run wat` writes them')
})

test('finds what a walk finds, whatever stands wherever in a block', (t) => {
  const each = blocks()
  const pieces = [
    '"',
    '\\"',
    '\\\\',
    ...Array.from('/bfnrt', (code) => `\\${code}`),
    '\\u00e9',
    '\\u12',
    '\\uD83d',
    '\\x',
    '\n',
    '\0',
    '\x1f',
    ' ',
    'é',
    '\\',
  ]
  for (const piece of pieces) {
    for (const second of pieces) {
      for (let before = 0; before < 2 * BLOCK_BYTES + 4; before++) {
        const text = `"${'x'.repeat(before)}${piece}${second}${'y'.repeat(3)}"`
        for (const after of ['', 'z'.repeat(2 * BLOCK_BYTES)]) {
          if (!agrees(each, Buffer.from(text + after), 1)) t.fail(JSON.stringify(text))
        }
      }
    }
  }
  t.pass()
  t.end()
})

test('finds what a walk finds in drawn strings', (t) => {
  const each = blocks()
  const plain = fc.nat(150).map((length) => 'x'.repeat(length))
  const special = fc.constantFrom('"', '\\"', '\\\\', '\\\\\\"', '\\t', '\\u0061', '\\u0', '\\', '\r', 'é', '🌊')
  const inputs = fc.tuple(fc.array(fc.oneof(plain, special, special), { maxLength: 40 }), fc.nat(5))
  assertHolds({ name: 'text-blocks', inputs }, ([pieces, from]: [string[], number]) => {
    const bytes = Buffer.from(`${'-'.repeat(from)}${pieces.join('')}`)
    return agrees(each, bytes, from)
  })
  t.end()
})

test('looks at no byte behind the body, and forgets the one before', (t) => {
  const each = blocks()
  each.load(Buffer.alloc(4 * BLOCK_BYTES, '"'))
  for (const length of [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1]) {
    each.load(Buffer.alloc(length, FILL))
    t.equal(each.end(0), ~(length < BLOCK_BYTES ? 0 : BLOCK_BYTES), `${length}`)
  }
  const cut = Buffer.from(`${'x'.repeat(BLOCK_BYTES - 3)}\\u0061`)
  each.load(cut)
  each.load(cut.subarray(0, BLOCK_BYTES))
  t.equal(each.end(0), ~0, 'its digits are behind the end')
  t.end()
})

test('says whether a letter was written as an escape, of one body at a time', (t) => {
  const each = blocks()
  const saw = (escaped: string): boolean => {
    each.load(Buffer.from(`${escaped}${'x'.repeat(2 * BLOCK_BYTES)}"`.padEnd(4 * BLOCK_BYTES)))
    t.ok(each.end(0) > 0, escaped)
    return each.sawLetters
  }
  for (let code = 0; code < 0x180; code++) {
    const escaped = `\\u${code.toString(16).padStart(4, '0')}`
    const isName = /^[A-Za-z_]$/.test(String.fromCharCode(code))
    if (saw(escaped) !== isName || saw(escaped.toUpperCase().replace('U', 'u')) !== isName) t.fail(escaped)
  }
  t.equal(saw('\\u4161'), false)
  t.equal(saw('\\\\u0061'), false, 'the backslash is escaped')
  t.end()
})

test('takes bodies of any size up to its limit', (t) => {
  const each = blocks()
  const largest = Buffer.alloc(MAX_BLOCKS_BYTES, FILL)
  largest[MAX_BLOCKS_BYTES - 1] = 0x22
  t.equal(each.load(largest), true)
  t.equal(each.end(0), MAX_BLOCKS_BYTES)
  t.equal(each.load(Buffer.alloc(MAX_BLOCKS_BYTES + 1)), false)
  t.end()
})

test('there is none where the module cannot be compiled, or not be given what it needs', (t) => {
  const needsMore = '0061736d010000000104016000000207010161016200' + '00'
  for (const hex of ['', '0061736d', needsMore])
    t.equal(createTextBlocks(Buffer.from(hex, 'hex').toString('base64')), null)
  t.end()
})

test('a body for which there is no memory is not loaded, and the next smaller one is', (t) => {
  const grow = (): number => {
    throw new RangeError('no memory')
  }
  const memory = { buffer: new ArrayBuffer(65_536), grow }
  const each = new TextBlocks({ memory, letters: { value: 0 }, end: () => 0 })
  t.equal(each.load(Buffer.alloc(65_536)), false)
  t.equal(each.load(Buffer.alloc(1000)), true)
  t.end()
})
