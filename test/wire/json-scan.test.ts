// The scanner of JSON text: members are found by name and never in the content of strings, and what it takes for an object
// is exactly what JSON.parse does.
import fc from 'fast-check'
import { test } from 'tap'
import { isOneObject, isStringBody, objectEnd, skipSpace, stringEnd, valueAt } from '../../src/wire/json-scan.js'
import { alterations, altered, assertHolds } from '../helpers/fuzz.js'

const KEY = Buffer.from('"k"')

test('finds a value behind its name, with and without white space', (t) => {
  t.equal(valueAt(Buffer.from('{"k":1}'), KEY, 0), 5)
  t.equal(valueAt(Buffer.from('{"k" :\n\t 1}'), KEY, 0), 9)
  t.equal(valueAt(Buffer.from('{"a":1}'), KEY, 0), -1)
  t.end()
})

test('a string equal to the name is no name, nor is one quoted in content', (t) => {
  t.equal(valueAt(Buffer.from('{"a":"k","k":2}'), KEY, 0), 13)
  t.equal(valueAt(Buffer.from(JSON.stringify({ a: '{"k":1}' })), KEY, 0), -1)
  t.end()
})

test('finds the end of strings and objects over escapes and braces in strings', (t) => {
  const text = Buffer.from('{"a":"\\\\\\"}","b":{"c":["}"]}} tail')
  t.equal(objectEnd(text, 0), text.indexOf(' tail'))
  t.equal(objectEnd(Buffer.from('["]",[{}]] tail'), 0), 10)
  t.equal(stringEnd(text, 5), 11)
  t.equal(objectEnd(Buffer.from('{"a":"x'), 0), 7)
  t.equal(stringEnd(Buffer.from('"\\"'), 0), 3)
  t.equal(skipSpace(Buffer.from('  '), 0), 2)
  t.equal(skipSpace(Buffer.from('\u0000{'), 0), 0, 'other control characters are not white space')
  t.end()
})

test('finds the end of a string however long it is and however many backslashes stand before a quote', (t) => {
  for (const length of [0, 1, 10, 97, 98, 99, 100, 101, 102, 250]) {
    for (let slashes = 0; slashes < 6; slashes++) {
      const text = JSON.stringify(`${'x'.repeat(length)}${'\\'.repeat(slashes)}"é"`)
      t.equal(stringEnd(Buffer.from(`${text},"next"`), 0), Buffer.byteLength(text) - 1, text)
    }
  }
  t.equal(stringEnd(Buffer.from(`"${'x'.repeat(200)}`), 0), 201)
  t.end()
})

/** Each a text with one thing wrong, or that only looks so. */
const ODD_TEXTS = [
  ...[
    '',
    ' ',
    '{',
    '}',
    '[]',
    'null',
    '1',
    '"x"',
    '{}',
    ' {} ',
    '{}{}',
    '{},',
    '{}\u0000',
    '\ufeff{}',
    '{"a":{}},"b":{}}',
  ],
  ...[
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,"a":1}',
    '{"a":1 "b":2}',
    '{a:1}',
    "{'a':1}",
    '{"a":1]',
    '{"a":[1}',
    '{"a":[1,]}',
    '{"a":[,1]}',
  ],
  ...[
    '{"a":01}',
    '{"a":-}',
    '{"a":-0}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":+1}',
    '{"a":1e}',
    '{"a":1E+9}',
    '{"a":1e-}',
    '{"a":1.5e3}',
    '{"a":1-1}',
  ],
  ...['{"a":truex}', '{"a":tru}', '{"a":nul}', '{"a":null}', '{"a":NaN}', '{"a":undefined}', '{"a":\u00a01}'],
  ...[
    '{"a":"\\x"}',
    '{"a":"\\u12g4"}',
    '{"a":"\\u123"}',
    '{"a":"\\uD800"}',
    '{"a":"\\"}',
    '{"a":"\\\\"}',
    '{"a":"\n"}',
    '{"a":"\t"}',
    '{"a":"\u007f\u2028"}',
  ],
  ...[
    '{"\\u0061":1}',
    '{"a\n":1}',
    '{"__proto__":1,"__proto__":2}',
    '{"a" : [ ] , "b" : { } }',
    '{"a":[[],{},[{"b":[]}]]}',
    '{"a":[]]}',
    '{"a":{}}}',
  ],
  ...['{"a":"caf\u00e9 \u{1f30a}"}', '// c\n{}', '{"a":1/**/}'],
]

test('what it takes for one object is what JSON.parse makes an object of: every kind of slip', (t) => {
  for (const text of ODD_TEXTS) t.equal(isOneObject(Buffer.from(text)), isParsed(text), encodeURIComponent(text))
  // Bytes that are no UTF-8 become U+FFFD where text is made of them: harmless in a string, an error elsewhere.
  t.equal(isOneObject(Buffer.from('{"a":"\xff\xfe"}', 'latin1')), true)
  t.equal(isOneObject(Buffer.from('{"a":\xff}', 'latin1')), false)
  t.end()
})

test('what it takes for one object is what JSON.parse makes an object of: texts cut, doubled and changed anywhere', (t) => {
  const json = fc.json({ maxDepth: 4 }).map((text) => `{"a":${text},"b":"\\u00e9\\n"}`)
  const changes = alterations(...'{}[]",:\\ \n0-.eE+tnu', 'null', '\\u', '{"a":1}', '\u0001', 'é')
  let sound = 0
  let broken = 0
  assertHolds({ name: 'json-objects', inputs: fc.record({ json, changes }) }, (input) => {
    const text = altered(input.json, input.changes)
    const expected = isParsed(text)
    if (expected) sound += 1
    else broken += 1
    return isOneObject(Buffer.from(text)) === expected
  })
  t.ok(sound > 500 && broken > 500, `${sound} objects and ${broken} others`)
  t.end()
})

test('no text can follow an object and be taken for a part of it', (t) => {
  const inputs = fc.record({ first: fc.json({ maxDepth: 2 }), rest: fc.json({ maxDepth: 2 }), name: fc.string() })
  assertHolds({ name: 'json-forgeries', inputs }, ({ first, rest, name }) => {
    return !isOneObject(Buffer.from(`{"a":${first}},${JSON.stringify(name)}:${rest}}`))
  })
  t.end()
})

test('reads nesting of any depth without recursion, and distinguishes objects from arrays at every level', (t) => {
  for (const depth of [29, 30, 31, 59, 60, 61, 62, 1000, 200_000]) {
    const open = Array.from({ length: depth }, (_, level) => (level % 3 === 0 ? '[' : '{"a":'))
    const close = open.map((bracket) => (bracket === '[' ? ']' : '}')).reverse()
    t.equal(isOneObject(Buffer.from(`{"a":${open.join('')}1${close.join('')}}`)), true, `${depth} levels`)
    for (const wrong of new Set([0, 1, depth >> 1, depth - 1])) {
      const swapped = close.with(wrong, close[wrong] === ']' ? '}' : ']')
      t.equal(
        isOneObject(Buffer.from(`{"a":${open.join('')}1${swapped.join('')}}`)),
        false,
        `${depth} levels, ${wrong}`,
      )
    }
  }
  t.end()
})

test('a body of a string is what could stand between its quotes', (t) => {
  const inputs = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'"\\u0aF\n', 'é', '\\u00e9') }))
  assertHolds({ name: 'json-string-bodies', inputs }, (body) => {
    const data = Buffer.from(`{"a":"${body}"}`)
    return isStringBody(data, 6, data.length - 2) === isParsedAlone(body)
  })
  t.end()
})

function isParsed(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

/** The body is one string and nothing more: a bare quote would end it. */
function isParsedAlone(body: string): boolean {
  try {
    return typeof JSON.parse(`"${body}"`) === 'string'
  } catch {
    return false
  }
}
