// One pass finds what parsing would find, on the recorded streams and on whatever JSON there is.
import fc from 'fast-check'
import { test } from 'tap'
import {
  FrameScan,
  SEEN_CALL,
  SEEN_CHOICES,
  SEEN_CONTENT,
  SEEN_ERROR,
  SEEN_FINISH,
  SEEN_USAGE,
} from '../../../../src/protocols/openai-chat/dialect/frame-scan.js'

function scan(text: string): FrameScan {
  const found = new FrameScan()
  found.scan(Buffer.from(text))
  return found
}

test('each member is seen when it holds something', (t) => {
  const seen = (text: string) => scan(text).seen
  t.equal(seen('{"content":"a"}'), SEEN_CONTENT)
  t.equal(seen('{"content":""}'), 0)
  t.equal(seen('{"content":null,"tool_calls":null,"usage":null,"error":null}'), 0)
  t.equal(seen('{"tool_calls":[ ]}'), 0)
  t.equal(seen('{"tool_calls":[ {}]}'), SEEN_CONTENT | SEEN_CALL)
  t.equal(seen('{"function_call":{}}'), SEEN_CONTENT | SEEN_CALL)
  t.equal(seen('{"content" :\n["a"]}'), SEEN_CONTENT)
  t.equal(seen('{"usage":{}}'), SEEN_USAGE)
  t.equal(seen('{"usage":"none"}'), 0)
  t.equal(seen('{"error":"x"}'), SEEN_ERROR)
  t.equal(seen('{"error":""}'), 0)
  t.equal(seen('{"choices":[]}'), SEEN_CHOICES)
  t.equal(seen('{"finish_reason":"stop"}'), SEEN_FINISH)
  t.equal(seen('{"finish_reason":["x"]}'), 0)
  t.end()
})

test('strings that look like members are not, wherever they stand', (t) => {
  t.equal(scan('["usage",":","error"]').seen, 0)
  t.equal(scan('{"a":"error","b":["content"],"c":":"}').seen, 0)
  t.equal(scan('{"a":["\\\\",":",{"error":{}}]}').seen, SEEN_ERROR)
  t.equal(scan('{"a":"x').seen, 0)
  t.end()
})

test('sees in any JSON what parsing sees', (t) => {
  const names = ['content', 'reasoning', 'usage', 'error', 'choices', 'finish_reason', 'tool_calls', 'x"', '\\']
  const leaf = fc.oneof(
    fc.constantFrom(...names, '', '":{', '"error":{"'),
    fc.string(),
    fc.constant(null),
    fc.integer(),
  )
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names), tie('tree'), { maxKeys: 4 }),
    ),
  }))
  fc.assert(
    fc.property(tree, fc.boolean(), (value, isPretty) => {
      const text = JSON.stringify(value, null, isPretty ? 2 : 0)
      return scan(text).seen === seenByParsing(value)
    }),
  )
  t.end()
})

function seenByParsing(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let seen = 0
  for (const [name, member] of Object.entries(value)) {
    if (!Array.isArray(value)) seen |= seenOfMember(name, member)
    seen |= seenByParsing(member)
  }
  return seen
}

function seenOfMember(name: string, value: unknown): number {
  const isText = typeof value === 'string' && value !== ''
  const isList = Array.isArray(value) && value.length > 0
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (name === 'content' || name === 'reasoning') return isText || isList ? SEEN_CONTENT : 0
  if (name === 'tool_calls') return isList ? SEEN_CONTENT | SEEN_CALL : 0
  if (name === 'usage') return isObject ? SEEN_USAGE : 0
  if (name === 'error') return isObject || isText ? SEEN_ERROR : 0
  if (name === 'choices') return SEEN_CHOICES
  return name === 'finish_reason' && isText ? SEEN_FINISH : 0
}
