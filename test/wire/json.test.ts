// Strict reading of JSON bodies: what passes, what is refused, and that a refusal tells nothing of the body.
import { test } from 'tap'
import { type ErrorData } from '../../src/model/error.js'
import { CLIENT_LIMITS, encodeText, parseJsonBody, UPSTREAM_LIMITS } from '../../src/wire/json.js'
import { thrownBy } from '../helpers/thrown.js'

const parse = (text: string) => parseJsonBody(Buffer.from(text))
const refusal = (body: string | Buffer): ErrorData => thrownBy(() => parseJsonBody(Buffer.from(body as string)))

test('reads an object of ASCII, of any UTF-8, and from the middle of a larger buffer', async (t) => {
  t.same(parse('{"a":[1,-0.5e1,true,null,"x"]}'), { a: [1, -5, true, null, 'x'] })
  t.same(parse(' \r\n\t{"ключ":"日本 🌊 \\u00e9\\n"}\n'), { ключ: '日本 🌊 é\n' })
  const padded = new Uint8Array(Buffer.from('xx{"a":1}yy'))
  t.same(parseJsonBody(padded.subarray(2, 9)), { a: 1 })
})

/** After the structure of JSONTestSuite: one oddity each. */
const ILL_FORMED = [
  '{',
  '}',
  '{}}',
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  '{,}',
  '{"a":1 "b":2}',
  '{a:1}',
  "{'a':1}",
  '{"a":+1}',
  '{"a":01}',
  '{"a":1.}',
  '{"a":.1}',
  '{"a":1e}',
  '{"a":0x1}',
  '{"a":NaN}',
  '{"a":Infinity}',
  '{"a":tru}',
  '{"a":"\t"}',
  '{"a":"\0"}',
  '{"a":"\\x"}',
  '{"a":"\\u12"}',
  '{"a":"',
  '{"a":"\\',
  '{"a":[1,]}',
  '{"a":[1',
  '{"a":]}',
  '{"a":1}x',
  '{"a":1}{"b":2}',
  '/**/{}',
  '{"a":1/**/}',
  '{"a":1}//',
  '{"a":undefined}',
  '\f{}',
  '{"\ud800":1}'.slice(0, 2),
  '<html>',
  'a',
  '"',
  '\\',
  ' ',
  '{"a"::1}',
  '{"a":-}',
  '{:1}',
]

test('refuses ill-formed JSON, and never echoes it', async (t) => {
  for (const text of ILL_FORMED) {
    const error = refusal(text)
    t.equal(error.code, 'invalid_request', text)
    t.match(error.message, /^The body (is not valid JSON( \(at character \d+\))?|is empty.*)\.?$/, text)
  }
  t.equal(refusal('{"a":1 secret}').message, 'The body is not valid JSON (at character 7).')
  t.notMatch(refusal('secret').message, 'secret')
  t.notMatch(refusal('{"a": secret at position 5}').message, 'secret')
})

test('refuses what is JSON but no object', async (t) => {
  for (const text of ['[]', '[{}]', '1', '"x"', 'null', 'true']) {
    t.equal(refusal(text).message, 'The body must be a JSON object.', text)
  }
})

test('says what is wrong with the bytes', async (t) => {
  t.match(refusal('').message, 'is empty')
  t.match(refusal('\ufeff{}').message, 'byte order mark')
  t.match(refusal(Buffer.from('{"a":"\xff"}', 'latin1')).message, 'not valid UTF-8')
  t.match(refusal(Buffer.from('{"a":"\xed\xa0\x80"}', 'latin1')).message, 'not valid UTF-8', 'an encoded surrogate')
  t.match(refusal(Buffer.from('\ufeff{"a":1}', 'utf16le')).message, 'not valid UTF-8')
  t.match(refusal(Buffer.from('{"a":1}', 'utf16le')).message, 'not valid JSON')
})

test('caps the depth before anything is built, brackets in strings not counted', async (t) => {
  const nest = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
  t.ok(parse(nest(128)))
  t.match(refusal(nest(129)).message, 'is nested deeper than 128 levels')
  t.match(refusal('['.repeat(100_000)).message, 'is nested deeper')
  t.match(refusal('{"a":'.repeat(100_000)).message, 'is nested deeper')
  t.ok(parse(JSON.stringify({ a: '['.repeat(1000), b: `"${'{'.repeat(500)}\\` })))
  t.ok(parse(`{"a":[${'[],'.repeat(1000)}[]]}`), 'width is no depth')
})

test('refuses numbers that a double cannot hold, and only those', async (t) => {
  for (const number of ['1e400', '-1E+999', `1${'0'.repeat(400)}`, `-${'9'.repeat(100_000)}`]) {
    t.match(refusal(`{"a":{"b":[true,${number}]}}`).message, 'out of range', number.slice(0, 9))
  }
  t.same(parse('{"a":[1e308,1e-400,-0,9007199254740993]}'), { a: [1e308, 0, -0, 9007199254740992] })
  t.same(parse(`{"a":0.${'0'.repeat(1000)}1}`), { a: 0 })
  t.same(parse('{"a":"1e400","b":[false]}'), { a: '1e400', b: [false] })
})

test('leaves every prototype alone', async (t) => {
  const hostile = parse('{"a":{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"toString":1}}')
  const copy = { ...(hostile.a as object) }
  t.equal(({} as { x?: number }).x, undefined)
  t.equal((copy as { x?: number }).x, undefined)
  t.equal(JSON.stringify(copy), '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"toString":1}')
})

test('lets lone surrogate escapes and NUL escapes pass', async (t) => {
  const value = parse('{"a":"\\ud83d","b":"\\u0000"}')
  t.equal(JSON.stringify(value), '{"a":"\\ud83d","b":"\\u0000"}')
})

test('blames the upstream for its own answers', async (t) => {
  const error = thrownBy(() => parseJsonBody(Buffer.from('<html>'), UPSTREAM_LIMITS))
  t.equal(error.code, 'upstream_malformed')
  t.equal(error.status, 502)
  t.match(error.message, "The provider's answer is not valid JSON")
  t.equal(CLIENT_LIMITS.blame, 'invalid_request')
})

test('takes time in proportion to a body full of quotes and backslashes', async (t) => {
  const text = JSON.stringify({ a: '\\'.repeat(1_000_000), b: '"\\"'.repeat(300_000) })
  t.equal(String(parse(text).a).length, 1_000_000)
})

test('encodes text into a buffer of exactly its size', async (t) => {
  const bytes = encodeText('é🌊')
  t.equal(Buffer.from(bytes).toString(), 'é🌊')
  t.equal(bytes.buffer.byteLength, bytes.byteLength)
})
