// The pass over a large body: it accepts exactly what the parser accepts, and finds the same members, without building anything.
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { test } from 'tap'
import { LONG_TEXT_BYTES, mayContainText, scanBody, walkBody } from '../../../src/wire/body/body-scan.js'
import { type Member, parseRequestBody } from '../../../src/wire/body/members.js'
import { MAX_VECTOR_BYTES } from '../../../src/wire/body/vector-scan.js'
import { encodeText, MAX_DEPTH, MAX_MEMBERS } from '../../../src/wire/json.js'
import { alterations, altered, assertHolds } from '../../helpers/fuzz.js'
import { thrownBy } from '../../helpers/thrown.js'

/** By vectors, and by the walk alone, as where there are none: it is for bytes that are UTF-8. */
function scanned(body: Buffer): (readonly Member[] | null)[] {
  const walked = isUtf8(body) ? walkBody(body) : null
  return [scanBody(body)?.members ?? null, walked?.members ?? null]
}

function parsed(body: Uint8Array): readonly Member[] | null {
  try {
    return parseRequestBody(body).members
  } catch {
    return null
  }
}

/** All say the same of it, wherever in memory it begins. */
function agree(text: string | Buffer): boolean {
  const body = typeof text === 'string' ? encodeText(text) : new Uint8Array(text)
  const expected = JSON.stringify(parsed(body))
  return [0, 1, 3].every((offset) => {
    const moved = Buffer.alloc(body.length + offset + 5, 0x22)
    moved.set(body, offset)
    const each = scanned(moved.subarray(offset, offset + body.length))
    return each.every((members) => JSON.stringify(members) === expected)
  })
}

const SPECIAL = [
  '"',
  '\\',
  '\\"',
  '\\\\',
  '\\n',
  '\\u00e9',
  '\\u12',
  '\\x',
  '\n',
  '\t',
  '\0',
  '\x1f',
  '\x7f',
  'é',
  '🌊',
  ' ',
  '!',
  '#',
  '[',
  ']',
]

test('says what the parser says of every special character at every place of a word', (t) => {
  for (const special of SPECIAL) {
    for (let before = 0; before < 9; before++) {
      for (let after = 0; after < 6; after++) {
        const text = `{"a":"${'x'.repeat(before)}${special}${'y'.repeat(after)}"}`
        if (!agree(text)) t.fail(JSON.stringify(text))
        if (!agree(text.slice(0, -2))) t.fail(JSON.stringify(text.slice(0, -2)))
      }
    }
  }
  // Of a long string, read in blocks.
  for (const special of SPECIAL) {
    for (let before = 28; before < 180; before++) {
      for (const after of [0, 70, 140]) {
        const text = `{"a":"${'x'.repeat(before)}${special}${'y'.repeat(after)}","b":1}`
        if (!agree(text)) t.fail(JSON.stringify(text))
      }
    }
  }
  for (let byte = 0; byte < 256; byte++) {
    for (const other of [0x20, 0x7f, 0x80, 0xff, byte]) {
      const bytes = Buffer.from([...Buffer.from('{"a":"'), byte, other, byte, 0x61, other, ...Buffer.from('bcd"}')])
      if (!agree(bytes)) t.fail(bytes.toString('hex'))
    }
  }
  t.pass()
  t.end()
})

const ODD = [
  ...[
    '',
    ' ',
    '{',
    '}',
    '{}',
    ' { } ',
    '[]',
    '[{}]',
    'null',
    '1',
    '"x"',
    '{}{}',
    '{},',
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
    '{"a":[1}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a" :1}',
  ],
  ...[
    '{"a":01}',
    '{"a":-}',
    '{"a":1.}',
    '{"a":1e}',
    '{"a":1E+9}',
    '{"a":1e999}',
    '{"a":[-1e999]}',
    '{"a":1e-999}',
    '{"a":truex}',
  ],
  ...[
    `{"a":${'9'.repeat(400)}}`,
    `{"a":${'9'.repeat(305)}}`,
    `{"a":0.${'9'.repeat(400)}}`,
    '{"a":{"b":false,"c":[true,null]}}',
  ],
  ...[
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"__proto__":1}',
    '{"\\u005f_proto__":1}',
    '{"a":{"__proto__":1}}',
    '{"a\\x":1}',
  ],
  ...[
    `{"${'k'.repeat(1022)}":1}`,
    `{"${'k'.repeat(1023)}":1}`,
    `{"${'k'.repeat(1024)}":1}`,
    `{"a":{"${'k'.repeat(2000)}":1}}`,
  ],
]

test('says what the parser says of every kind of slip', (t) => {
  for (const text of ODD) t.ok(agree(text), text.slice(0, 40))
  t.ok(agree(Buffer.from('{"a":"\xff"}', 'latin1')), 'no UTF-8')
  for (const depth of [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1]) {
    t.ok(agree(`{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`), `${depth} levels`)
    t.ok(agree(`{"a":${'{"b":'.repeat(depth - 1)}1${'}'.repeat(depth - 1)}}`), `${depth} levels of objects`)
  }
  for (const count of [MAX_MEMBERS, MAX_MEMBERS + 1]) t.ok(agree(objectOf(count)), `${count} members`)
  t.end()
})

function objectOf(count: number): string {
  return `{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join(',')}}`
}

test('says what the parser says of texts cut, doubled and changed anywhere', (t) => {
  const json = fc.json({ maxDepth: 4 }).map((text) => `{"a":${text},"b":"\\u00e9\\n${'long '.repeat(45)}","c":[1e5]}`)
  const changes = alterations(...'{}[]",:\\ \n0-.eE+tnu', 'null', '\\u', '"a":1,', '\u0001', 'é', '1e400')
  let sound = 0
  let broken = 0
  assertHolds({ name: 'body-scans', inputs: fc.record({ json, changes }) }, (input) => {
    const text = altered(input.json, input.changes)
    if (parsed(encodeText(text)) === null) broken += 1
    else sound += 1
    return agree(text)
  })
  t.ok(sound > 500 && broken > 500, `${sound} objects and ${broken} others`)
  t.end()
})

test('reports long strings, but no long names', (t) => {
  const long = 'x'.repeat(LONG_TEXT_BYTES)
  const text = JSON.stringify({ a: long, b: ['short', { [long]: `é${long}` }], c: long.slice(0, LONG_TEXT_BYTES - 3) })
  const body = Buffer.from(text)
  const { longTexts = [] } = scanBody(body) ?? {}
  const found = Array.from({ length: longTexts.length / 2 }, (_, i) =>
    body.toString('utf8', longTexts[2 * i], longTexts[2 * i + 1]),
  )
  t.strictSame(found, [`"${long}"`, `"é${long}"`])
  t.end()
})

test('knows of every short text whether it may be there, and of most others that they are not', (t) => {
  const shapeOf = (value: object) => scanBody(encodeText(JSON.stringify(value))) ?? { shortTexts: [] }
  const names = fc.string({ unit: fc.constantFrom(...'abcxyz_'), minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(fc.array(names, { maxLength: 30 }), names, (texts, name) => {
      const shape = shapeOf({ [name]: texts })
      return [...texts, name].every((text) => mayContainText(shape, text))
    }),
    { numRuns: 2000 },
  )
  // What an agent's request has, and what the gateway looks for.
  const shape = shapeOf({
    messages: [
      { role: 'system', content: 'x' },
      { role: 'user', content: 'y' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'tool_1', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'z' },
    ],
    tools: [
      {
        type: 'function',
        function: { parameters: { type: 'object', properties: {}, required: [], additionalProperties: false } },
      },
    ],
  })
  for (const name of ['developer', 'image_url', 'extra_content', 'reasoning_content', 'file_id', 'thoughtSignature']) {
    t.equal(mayContainText(shape, name), false, name)
  }
  t.equal(mayContainText(shape, 'n'.repeat(32)), true)
  t.end()
})

test('notes where a letter is written as an escape, as only then a search could miss a name', (t) => {
  const escapes = (text: string) => {
    const [short, long] = ['', 'x'.repeat(100)].map((pad) => scanBody(Buffer.from(`{"a":"${pad}${text}${pad}"}`)))
    t.equal(short?.escapesLetters, long?.escapesLetters, text)
    return long?.escapesLetters
  }
  for (const text of ['\\u0061', '\\u005A', '\\u005f', 'x\\u007ay', '\\u0041']) t.equal(escapes(text), true, text)
  for (const text of [
    '\\u0040',
    '\\u005b',
    '\\u0060',
    '\\u007b',
    '\\u1061',
    '\\u0161',
    '\\u003c',
    '\\u001b',
    '\\\\u0061',
  ]) {
    t.equal(escapes(text), false, text)
  }
  t.end()
})

test('a body that is too large for the blocks says nothing of the one before it', (t) => {
  const pad = 'x'.repeat(100)
  t.equal(scanBody(Buffer.from(`{"a":"${pad}\\u0061${pad}"}`))?.escapesLetters, true)
  t.equal(scanBody(Buffer.from(`{"a":"${'x'.repeat(MAX_VECTOR_BYTES)}"}`))?.escapesLetters, false)
  t.end()
})

test('a body of 1.5 million members is rejected before any of them is built', (t) => {
  const body = Buffer.from(objectOf(1_500_000))
  for (const reject of [() => t.equal(scanBody(body), null), () => void thrownBy(() => parseRequestBody(body))]) {
    reject()
    const before = process.memoryUsage().heapUsed
    reject()
    const grown = process.memoryUsage().heapUsed - before
    // The text itself may be on the heap; the members would be 100 MB.
    t.ok(grown < body.length + 8 * 1024 * 1024, `${grown} bytes`)
  }
  t.match(
    thrownBy(() => parseRequestBody(body)),
    { code: 'invalid_request', message: /1000 fields/ },
  )
  t.end()
})
