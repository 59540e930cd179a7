// The raw text of a custom tool's input, out of JSON that arrives in fragments.
import { test } from 'tap'
import { RawInput } from '../../../../src/protocols/openai-responses/surface/raw-input.js'

/** The text that each fragment yields, and at last what the end yields. */
function read(...fragments: string[]): string[] {
  const input = new RawInput()
  return [...fragments.map((fragment) => input.push(fragment)), input.end()]
}

const RAW = '*** Begin "Patch"\n\t+é 🌊 \\u0041 \\\u2028 /x\b\f\r'

test('raw input is unescaped as it arrives', async (t) => {
  t.same(read('{"input":"*** Be', 'gin\\n', 'x"}'), ['*** Be', 'gin\n', 'x', ''])
  t.same(read(' { "input" ', ': ', '"a"', ' }'), ['', '', 'a', '', ''])
})

test('wherever the fragments are cut, the text is the same, and no half character goes out', async (t) => {
  const wrong: string[] = []
  const check = (name: string, parts: readonly string[]): void => {
    if (parts.join('') !== RAW) wrong.push(`${name}: other text`)
    if (parts.some((part) => /[\ud800-\udbff]$/.test(part))) wrong.push(`${name}: half a character`)
  }
  for (const json of [JSON.stringify({ input: RAW }), `{"input":"${escapeAll(RAW)}"}`]) {
    for (let at = 0; at <= json.length; at++) {
      for (const to of [at, at + 1, at + 5]) {
        check(`${json.length} ${at} ${to}`, read(json.slice(0, at), json.slice(at, to), json.slice(to)))
      }
    }
    check('letter by letter', read(...json))
  }
  t.same(wrong, [])
})

function escapeAll(text: string): string {
  return text.replace(/[\s\S]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

test('arguments of another form are taken as they are meant, at the end', async (t) => {
  t.same(read('{"patch":', '"raw"}'), ['', '', 'raw'], 'the only string of the object')
  t.same(read('"raw"'), ['', 'raw'])
  t.same(read('raw text'), ['', 'raw text'])
  t.same(read('{"a":1}'), ['', '{"a":1}'])
  t.same(read('{"input":{"a":1}}'), ['', '{"input":{"a":1}}'])
  t.same(read(), [''])
  t.same(read('{"inp'), ['', '{"inp'])
  const late = `${' '.repeat(300)}{"input":"a"}`
  t.equal(read(...late).join(''), 'a', 'an opening that is late is read at the end')
})

test('an escape that is cut off is no text, and one that JSON does not know is its letter', async (t) => {
  t.same(read('{"input":"a\\'), ['a', ''])
  t.same(read('{"input":"a\\u00'), ['a', ''])
  t.same(read('{"input":"a\\xb\\uzzzz"}'), ['axb\\uzzzz', ''])
  t.same(read('{"input":"\\ud83d', '\\ud83c\\udf0a"}').join(''), '\ud83d🌊', 'a lone half is kept in its place')
})
