// Spans of top-level members and edits that leave all other bytes alone.
import fc from 'fast-check'
import { test } from 'tap'
import { type JsonValue } from '../../../src/model/json.js'
import {
  findDuplicate,
  type Member,
  parseRequestBody,
  scanMembers,
  spliceMembers,
  splicePieces,
} from '../../../src/wire/body/members.js'
import { encodeText, MAX_MEMBERS } from '../../../src/wire/json.js'
import { thrownBy } from '../../helpers/thrown.js'

function membersOf(body: Uint8Array): readonly Member[] {
  return scanMembers(body) ?? []
}

type Edits = [string, JsonValue | undefined][]

/** Both ways give the same bytes. */
function splice(text: string, edits: Edits): string {
  const body = encodeText(text)
  const joined = Buffer.from(spliceMembers(body, membersOf(body), new Map(edits))).toString()
  const pieces = splicePieces(body, membersOf(body), new Map(edits)) ?? [body]
  return Buffer.concat(pieces).toString() === joined ? joined : 'pieces of other bytes'
}

test('finds every member with its bytes', async (t) => {
  const text = ' {"a" : 1 ,"b":"x,}\\"","c":[{"d":[]},"]"],\n"\\u0065é":{"}":{}} , "f":true,"g":-1e5 }'
  const body = encodeText(text)
  t.same(
    membersOf(body).map((member) => [
      member.key,
      Buffer.from(body.subarray(member.keyStart, member.keyStart + 1)).toString(),
      Buffer.from(body.subarray(member.valueStart, member.valueEnd)).toString(),
    ]),
    [
      ['a', '"', '1'],
      ['b', '"', '"x,}\\""'],
      ['c', '"', '[{"d":[]},"]"]'],
      ['eé', '"', '{"}":{}}'],
      ['f', '"', 'true'],
      ['g', '"', '-1e5'],
    ],
  )
  t.same(scanMembers(encodeText('{}')), [])
  t.same(scanMembers(encodeText(' { } ')), [])
})

/** Each is no object, or not one; the third once led the scan round in a circle. */
const ILL = [
  '',
  '{',
  '[]{"a"',
  '[] {"a":1}',
  '{"a"',
  '{"a":',
  '{"a":}',
  '{"a":,"b":1}',
  '{"a":1',
  '{"a":1,}',
  '{,"a":1}',
]
ILL.push('{"a":1}}', '{"a":1} x', '{"a":1 "b":2}', '{"a" 1}', '{a:1}', '{"\\x":1}', '{"a\\"}', '{"a":"b\\"}')
ILL.push('"', '{"', `{"${'k'.repeat(2000)}":1}`, '\ufeff{}', '{"a":[1}', '{"a":{"b":1}')

test('finds nothing in what is not one object', async (t) => {
  for (const text of ILL) t.equal(scanMembers(encodeText(text)), null, text.slice(0, 30))
})

test('keeps inside any bytes at all, and finds all members of an object', async () => {
  const piece = fc.constantFrom(...'{}[]",:\\ 1atfn\n\u00e9', '"a":', '"b":{', 'true', '\\u0061')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join('')
      const body = encodeText(text)
      const members = scanMembers(body)
      let at = 0
      for (const { keyStart, valueStart, valueEnd } of members ?? []) {
        if (keyStart < at || valueStart <= keyStart || valueEnd <= valueStart || valueEnd > body.length) return false
        at = valueEnd
      }
      const object = parse(text)
      return object === null || JSON.stringify(members?.map(({ key }) => key)) === JSON.stringify(namesOf(text))
    }),
    { numRuns: 20_000 },
  )
})

test('a parsed request has the members that a scan of its bytes finds', async () => {
  const piece = fc.constantFrom(...'{}[]",:\\ 1atfn\n\u00e9', '"a":', '"b":{', '"c":[', 'true', '}}', ']}')
  const texts = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))
  const objects = fc
    .dictionary(fc.string({ maxLength: 3 }), fc.jsonValue({ maxDepth: 3 }))
    .chain((object) => fc.constantFrom(undefined, 1, '\t').map((indent) => JSON.stringify(object, null, indent)))
  fc.assert(
    fc.property(fc.oneof(texts, objects), (text) => {
      const body = encodeText(text)
      let parsed: readonly Member[]
      try {
        parsed = parseRequestBody(body).members
      } catch {
        return true
      }
      return JSON.stringify(parsed) === JSON.stringify(scanMembers(body))
    }),
    { numRuns: 20_000 },
  )
})

function parse(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

/** Names of the top level in order, doubles kept, by tokens. */
function namesOf(text: string): string[] {
  const names: string[] = []
  let depth = 0
  for (const token of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    if (token[0] === '{' || token[0] === '[') depth += 1
    else if (token[0] === '}' || token[0] === ']') depth -= 1
    else if (depth === 1 && token[1] !== undefined) names.push(String(JSON.parse(token[0].replace(/\s*:$/, ''))))
  }
  return names
}

test('gives the same body back when nothing changes', async (t) => {
  const body = encodeText('{"a":1}')
  t.equal(spliceMembers(body, membersOf(body), new Map()), body)
  t.equal(spliceMembers(body, membersOf(body), new Map([['b', undefined]])), body)
})

test('sets, adds and removes members and touches nothing else', async (t) => {
  const text = '{ "a" : 1, "b":[ 1 ] ,\n"c":"x" }'
  t.equal(splice(text, [['b', { d: 'é' }]]), '{ "a" : 1, "b":{"d":"é"} ,\n"c":"x" }')
  t.equal(splice(text, [['n', 7]]), '{"n":7, "a" : 1, "b":[ 1 ] ,\n"c":"x" }')
  t.equal(splice(text, [['a', undefined]]), '{ "b":[ 1 ] ,\n"c":"x" }')
  t.equal(splice(text, [['b', undefined]]), '{ "a" : 1, "c":"x" }')
  t.equal(splice(text, [['c', undefined]]), '{ "a" : 1, "b":[ 1 ] }')
  t.equal(
    splice(text, [
      ['b', undefined],
      ['c', undefined],
    ]),
    '{ "a" : 1 }',
  )
  t.equal(
    splice(text, [
      ['a', 2],
      ['b', undefined],
      ['c', undefined],
      ['n', null],
    ]),
    '{"n":null, "a" : 2 }',
  )
  t.equal(splice('{"a":1}', [['a', undefined]]), '{}')
  t.equal(
    splice('{"a":1,"b":2}', [
      ['a', undefined],
      ['b', undefined],
      ['n', 1],
      ['m', 2],
    ]),
    '{"n":1,"m":2}',
  )
  t.equal(splice('{}', [['n', 1]]), '{"n":1}')
  t.equal(splice(' { } ', [['n', 1]]), ' {"n":1 } ')
})

test('sets and removes every duplicate', async (t) => {
  t.equal(splice('{"a":1,"b":2,"\\u0061":3}', [['a', 9]]), '{"a":9,"b":2,"\\u0061":9}')
  t.equal(splice('{"a":1,"b":2,"\\u0061":3}', [['a', undefined]]), '{"b":2}')
})

test('pieces of a large body are views of it, and what is short is joined', async (t) => {
  const long = 'x'.repeat(20_000)
  const body = encodeText(JSON.stringify({ a: 1, b: long, c: 2, d: long, e: 3, f: 4 }))
  const edits = new Map<string, JsonValue | undefined>([
    ['a', 'one'],
    ['c', undefined],
    ['e', 'three'],
    ['f', 'four'],
    ['n', 0],
  ])
  const pieces = splicePieces(body, membersOf(body), edits) ?? []
  t.same(JSON.parse(Buffer.concat(pieces).toString()), { n: 0, a: 'one', b: long, d: long, e: 'three', f: 'four' })
  t.same(
    pieces.map((piece) => piece.buffer === body.buffer),
    [false, true, true, false],
  )
  t.equal(splicePieces(body, membersOf(body), new Map()), null)
  t.equal(splicePieces(body, membersOf(body), new Map([['z', undefined]])), null)
})

test('equals the edit of the parsed object, for any object, spacing and edits', async () => {
  const keys = fc.constantFrom('a', 'b', 'c', 'é"\\', 'model', '')
  const objects = fc.dictionary(keys, fc.jsonValue({ maxDepth: 3 }))
  const edits = fc.array(fc.tuple(keys, fc.option(fc.jsonValue({ maxDepth: 1 }), { nil: undefined })), { maxLength: 5 })
  fc.assert(
    fc.property(objects, edits, fc.constantFrom(undefined, 1, '\t'), (object, changes, indent) => {
      const expected = new Map<string, unknown>(Object.entries(object))
      const last = new Map(changes)
      for (const [key, value] of last) value === undefined ? expected.delete(key) : expected.set(key, value)
      const edited = splice(JSON.stringify(object, null, indent), changes as Edits)
      const sorted = (pairs: Iterable<[string, unknown]>) =>
        JSON.stringify([...pairs].sort(([a], [b]) => (a < b ? -1 : 1)))
      return sorted(Object.entries(JSON.parse(edited))) === sorted(expected)
    }),
    { numRuns: 5000 },
  )
})

test('rejects a body with a duplicate top-level key, however it is escaped', async (t) => {
  const error = thrownBy(() => parseRequestBody(encodeText('{"model":"a","stream":true,"mod\\u0065l":"b"}')))
  t.equal(error.code, 'invalid_request')
  t.equal(error.param, 'model')
  t.ok(parseRequestBody(encodeText('{"model":"a","x":{"model":"b","y":1}}')))
  t.equal(findDuplicate([]), null)
})

test('refuses a body of more top-level members than any request has', async (t) => {
  const bodyOf = (count: number) => encodeText(`{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join(',')}}`)
  t.equal(parseRequestBody(bodyOf(MAX_MEMBERS)).members.length, MAX_MEMBERS)
  t.match(
    thrownBy(() => parseRequestBody(bodyOf(MAX_MEMBERS + 1))),
    { code: 'invalid_request', message: /1000 fields/ },
  )
})

test('refuses __proto__ at the top level, and takes it as data below', async (t) => {
  t.equal(thrownBy(() => parseRequestBody(encodeText('{"\\u005f_proto__":{"x":1}}'))).param, '__proto__')
  const { json, members } = parseRequestBody(encodeText('{"a":{"__proto__":{"x":1}},"constructor":1,"toString":2}'))
  t.equal(JSON.stringify(json.a), '{"__proto__":{"x":1}}')
  t.equal(members.length, 3)
  t.equal(({} as { x?: number }).x, undefined)
})
