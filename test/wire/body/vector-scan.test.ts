// The module that proves bodies by vectors: it is what its text says, and says of each body what the walk over its bytes says.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'tap'
import { LONG_TEXT_BYTES, scanBody, walkBody } from '../../../src/wire/body/body-scan.js'
import {
  createVectorScan,
  MAX_VECTOR_BYTES,
  MAX_VECTOR_DEPTH,
  MAX_VECTOR_MEMBERS,
  VectorScan,
} from '../../../src/wire/body/vector-scan.js'
import { MAX_DEPTH, MAX_MEMBERS } from '../../../src/wire/json.js'
import { alterations, altered, assertHolds } from '../../helpers/fuzz.js'
import { assemble, findCode, WAT } from '../../helpers/wat.js'

const BLOCK_BYTES = 64

function created(): VectorScan {
  const vectors = createVectorScan()
  if (vectors === null) throw new Error('no vectors')
  return vectors
}

/** A number that the module leaves to the walk. */
const RARE = /[eE][+-]?\d{3}|\d{200}/

/** It has a verdict where the walk finds an object, but for rare numbers; what both find is the same. */
function agrees(vectors: VectorScan, text: string): boolean {
  const bytes = Buffer.from(text)
  const expected = walkBody(bytes)
  const hasVerdict = vectors.scan(bytes, MAX_DEPTH, MAX_MEMBERS) !== null
  if (expected !== null && !hasVerdict && !RARE.test(text)) return false
  return JSON.stringify(partsOf(scanBody(bytes))) === JSON.stringify(partsOf(expected))
}

function partsOf(shape: ReturnType<typeof scanBody>): unknown[] | null {
  return shape && [shape.members, shape.longTexts, shape.shortTexts, shape.escapesLetters]
}

test('its bytes are those of its text', async (t) => {
  const source = readFileSync(new URL('vector-scan.ts', WAT), 'utf8')
  const committed = findCode(source).replace(/[^\w+/=]|\+\n/g, '')
  const assembled = Buffer.from(await assemble(WAT)).toString('base64')
  t.equal(committed.replaceAll(/\s/g, ''), assembled, '`npm run wat` writes them')
})

test('says what the walk says of a string, whatever stands wherever in a block', (t) => {
  const vectors = created()
  const escapes = Array.from('"\\/bfnrt', (code) => `\\${code}`)
  const odd = ['"', '\\', '\\x', '\\u12', '\\u12g4', '\n', '\0', '\x1f']
  const pieces = [...odd, ...escapes, '\\u00e9', '\\uD83d', '\\u0061', '\\\\\\"', '\\\\\\\\', ' ', 'é']
  for (const piece of pieces) {
    for (const second of pieces) {
      for (let before = 0; before < 2 * BLOCK_BYTES + 4; before++) {
        const text = `{"a":"${'x'.repeat(before)}${piece}${second}${'y'.repeat(3)}"`
        for (const after of ['}', `,"b":["${'z'.repeat(2 * BLOCK_BYTES)}"]}`]) {
          if (!agrees(vectors, text + after)) t.fail(JSON.stringify(text + after))
        }
      }
    }
  }
  t.pass()
  t.end()
})

test('says what the walk says of every byte behind a backslash, and of every digit of an escape', (t) => {
  const vectors = created()
  for (let byte = 0; byte < 128; byte++) {
    const code = String.fromCharCode(byte)
    const texts = [code, `u${code}000`, `u0${code}00`, `u00${code}0`, `u006${code}`, `u005${code}`]
    for (const text of texts) {
      for (const before of [0, 13, 31, 70]) {
        const body = `{"${'k'.repeat(before)}":"${'x'.repeat(before)}\\${text}","b":null}`
        if (!agrees(vectors, body)) t.fail(JSON.stringify(body))
      }
    }
  }
  t.pass()
  t.end()
})

test('says what the walk says of objects, cut, doubled and changed anywhere', (t) => {
  const vectors = created()
  const json = fc.json({ maxDepth: 4, noUnicodeString: false })
  const space = fc.constantFrom('', ' ', '\n\t', '\r')
  const texts = fc.constantFrom('long '.repeat(45), 'x'.repeat(LONG_TEXT_BYTES - 3), 'y'.repeat(LONG_TEXT_BYTES - 2))
  const whole = fc.tuple(json, space, texts).map(([text, gap, long]) => {
    return `${gap}{${gap}"a"${gap}:${gap}${text}${gap},"b":"\\u0061\\n${long}",${gap}"${long}":[0.5,-1,1e5,[],{}]}${gap}`
  })
  const changes = alterations(...'{}[]",:\\ \n0-.eE+tnu', 'null', 'tru', '\\u', '"d":1,', '\u0001', 'é', '\0')
  let sound = 0
  let broken = 0
  assertHolds({ name: 'vector-scan', inputs: fc.record({ whole, changes }) }, (input) => {
    const text = altered(input.whole, input.changes)
    if (walkBody(Buffer.from(text)) === null) broken += 1
    else sound += 1
    return agrees(vectors, text)
  })
  t.ok(sound > 500 && broken > 500, `${sound} objects and ${broken} others`)
  t.end()
})

const SLIPS = [
  ...['{"a":[1}}', '{"a":{"b":1]}', '{"a":[{]}', '[{"a":1}]', '{"a":[1]]}', '{"a":1}}', '{}{}', '{},', '{', '{}]'],
  ...[
    '{"a"=1}',
    '{"a"1}',
    '{"a" :1}',
    '{"a"::1}',
    '{"a":,}',
    '{"a":1,}',
    '{,"a":1}',
    '{"a":[,1]}',
    '{"a":[1,]}',
    '{a:1}',
  ],
  ...[
    '{"a":falsx}',
    '{"a":fals}',
    '{"a":nulL}',
    '{"a":tru}',
    '{"a":truee}',
    '{"a":True}',
    '{"a":nan}',
    '{"a":[null,false,true]}',
  ],
  ...[
    '{"a":1.}',
    '{"a":.5}',
    '{"a":-}',
    '{"a":+1}',
    '{"a":01}',
    '{"a":-01}',
    '{"a":-0}',
    '{"a":0.0}',
    '{"a":1.2.3}',
    '{"a":1e}',
  ],
  ...[
    '{"a":1e+}',
    '{"a":1e1.5}',
    '{"a":0x1}',
    '{"a":1-1}',
    '{"a":/**/1}',
    "{'a':1}",
    '{"a":[]}',
    '{"a":[{}]}',
    '{"a":{"b":{}}}',
  ],
]

test('says what the walk says of every slip', (t) => {
  const vectors = created()
  for (const text of SLIPS) {
    // Also as one of several.
    for (const whole of [text, text.replace('{', '{"x":"y",'), text.replace(/}$/, ',"x":"y"}')]) {
      if (!agrees(vectors, whole)) t.fail(whole)
    }
  }
  for (let byte = 0; byte < 128; byte++) {
    const code = String.fromCharCode(byte)
    for (const text of [
      `${code}{"a":1}`,
      `{${code}"a":1}`,
      `{"a"${code}:1}`,
      `{"a":${code}1}`,
      `{"a":1${code}}`,
      `{"a":1}${code}`,
    ]) {
      if (!agrees(vectors, text)) t.fail(JSON.stringify(text))
    }
  }
  t.pass()
  t.end()
})

test('has room for a look behind the body, wherever the memory ends', (t) => {
  const PAGE_BYTES = 65_536
  for (const pages of [2, 3]) {
    for (let over = -BLOCK_BYTES - 8; over < 8; over++) {
      const text = `{"a":"`.padEnd(pages * PAGE_BYTES - 0xc400 + over, 'x')
      if (!agrees(created(), text) || !agrees(created(), `${text.slice(0, -2)}"}`)) t.fail(`${pages} pages, ${over}`)
    }
  }
  t.pass()
  t.end()
})

test('has no verdict on what ends too early, even if the body before it had the rest', (t) => {
  const vectors = created()
  const whole = Buffer.from(`{"a":[1,-0.5,true,"x\\u0061${'y'.repeat(70)}",{"b":[]},null],"c":false,"d":12}`)
  for (let length = 0; length < whole.length; length++) {
    if (vectors.scan(whole, MAX_DEPTH, MAX_MEMBERS) === null) t.fail('the whole')
    if (vectors.scan(whole.subarray(0, length), MAX_DEPTH, MAX_MEMBERS) !== null) t.fail(`${length} bytes`)
  }
  const { members = [] } = vectors.scan(Buffer.from('{"e":1}'), MAX_DEPTH, MAX_MEMBERS) ?? {}
  t.strictSame([...members], [1, 4, 5, 6], 'and the next one has members of its own')
  t.end()
})

test('leaves numbers that could be Infinity to the walk', (t) => {
  const vectors = created()
  const verdictOn = (number: string) => vectors.scan(Buffer.from(`{"a":${number}}`), MAX_DEPTH, MAX_MEMBERS) !== null
  for (const number of ['1e99', '-1.5E+07', '0e-9', '9'.repeat(200), `${'9'.repeat(200)}e99`, `0.${'1'.repeat(198)}`])
    t.equal(verdictOn(number), true, number.slice(0, 20))
  for (const number of ['1e100', '1e-100', '1e400', '9'.repeat(201)])
    t.equal(verdictOn(number), false, number.slice(0, 20))
  t.equal(scanBody(Buffer.from('{"a":1e100}'))?.members.length, 1)
  t.equal(scanBody(Buffer.from('{"a":1e400}')), null)
  t.end()
})

test('takes bodies of any size up to its limit, with all that can be in them', (t) => {
  const vectors = created()
  const isTaken = (length: number) => vectors.scan(Buffer.from('{}'.padEnd(length)), MAX_DEPTH, MAX_MEMBERS) !== null
  t.equal(isTaken(MAX_VECTOR_BYTES), true)
  t.equal(isTaken(MAX_VECTOR_BYTES + 1), false)
  const text = `"${'x'.repeat(LONG_TEXT_BYTES - 2)}"`
  const most = Math.floor((MAX_VECTOR_BYTES - 7) / (text.length + 1))
  t.ok(agrees(vectors, `{"a":[${Array.from({ length: most }, () => text).join()}]}`), `${most} long texts`)
  t.end()
})

test('has no verdict above the limits that it is told, nor above its own', (t) => {
  const vectors = created()
  const isTaken = (text: string, maxDepth: number, maxMembers: number) =>
    vectors.scan(Buffer.from(text), maxDepth, maxMembers) !== null
  const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
  const wide = (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}":{"x":1}`).join()}}`
  t.strictSame([isTaken(nested(5), 5, 9), isTaken(nested(6), 5, 9)], [true, false])
  t.strictSame([isTaken(wide(9), 5, 9), isTaken(wide(10), 5, 9)], [true, false])
  const [depth, members] = [MAX_VECTOR_DEPTH, MAX_VECTOR_MEMBERS]
  t.strictSame([isTaken(nested(depth), 1000, 9), isTaken(nested(depth + 1), 1000, 9)], [true, false])
  t.strictSame([isTaken(wide(members), 5, 5000), isTaken(wide(members + 1), 5, 5000)], [true, false])
  t.ok(agrees(vectors, wide(MAX_MEMBERS)))
  t.end()
})

test('there is none where the module cannot be compiled, or not be given what it needs', (t) => {
  const needsMore = '0061736d010000000104016000000207010161016200' + '00'
  for (const hex of ['', '0061736d', needsMore])
    t.equal(createVectorScan(Buffer.from(hex, 'hex').toString('base64')), null)
  t.end()
})

test('a body for which there is no memory has no verdict, and the next smaller one has', (t) => {
  const grow = (): number => {
    throw new RangeError('no memory')
  }
  const memory = { buffer: new ArrayBuffer(131_072), grow }
  const [letters, members, texts] = [{ value: 0 }, { value: 0 }, { value: 0 }]
  const vectors = new VectorScan({ memory, letters, members, texts, scan: () => 1 })
  t.equal(vectors.scan(Buffer.alloc(131_072), MAX_DEPTH, MAX_MEMBERS), null)
  t.ok(vectors.scan(Buffer.alloc(1000), MAX_DEPTH, MAX_MEMBERS))
  t.end()
})
