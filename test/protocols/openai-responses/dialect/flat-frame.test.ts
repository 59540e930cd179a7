// Delta events read from their bytes alone.
import { test } from 'tap'
import { FlatFrame } from '../../../../src/protocols/openai-responses/dialect/flat-frame.js'

const frame = new FlatFrame()
const read = (text: string) => (frame.readDelta(Buffer.from(text)) ? [frame.deltaBytes, frame.sequence] : null)

test('a delta is read in any order of members', async (t) => {
  t.same(
    read('{"type":"response.output_text.delta","sequence_number":12,"item_id":"i","delta":"abc","logprobs":[]}'),
    [3, 12],
  )
  t.same(read(' { "delta" : "\\u00e9\\"" , "type" : "x.delta" , "logprobs" : [ ] } '), [8, -1])
  t.same(read('{"delta":"","type":"x.delta","output_index":0}'), [0, -1])
  t.same(read('{"type":"x.delta","delta":7}'), [0, -1])
  t.same(read('{"type":"x.delta","delta":"a","sequence_number":9999999999999999}'), [1, -1])
  t.same(read('{"type":"x.delta","delta":"a","sequence_number":"7"}'), [1, -1])
})

test('anything else is left to a parser, which decides whether it is sound', async (t) => {
  for (const text of [
    ...['', '[]', '{}', '{"type":"x.done","delta":"a"}', '{"type":".delta","delta":"a","x":{}}', '{"type":"x.delta"}'],
    ...[
      '{"type":"x.delta","delta":"a","x":[1]}',
      '{"type":"x.delta","delta":"a","x":-1}',
      '{"type":"x.delta","delta":"a","x":01}',
    ],
    ...['{"type":"x.delta","delta":"a","x":1.5}', '{"type":"x.delta","delta":"a","x":null}', '{"type":7,"delta":"a"}'],
    ...['{"type":"x.delta","type":"x.delta","delta":"a"}', '{"type":"x.delta","delta":"a","delta":"b"}'],
    ...['{"type":"\\u0078.delta","delta":"a"}', '{"type":"delta","delta":"a"}'],
    ...['{"type":"x.delta","delta":"a"}}', '{"type":"x.delta","delta":"a"', '{"type":"x.delta","delta":"a",}'],
    ...[
      '{"type":"x.delta","delta":"a\n"}',
      '{"type":"x.delta","delta":"\\x"}',
      '{type:"x.delta"}',
      '{"type" "x.delta"}',
    ],
  ]) {
    t.equal(read(text), null, text)
  }
})

test('what it accepts, JSON accepts with the same values', async (t) => {
  const texts = ['a', '', 'é 🌊', '"', '\\', '\n', '{"x":1}', '.delta']
  for (const type of ['response.output_text.delta', 'x.delta', 'x.done']) {
    for (const delta of texts) {
      const text = JSON.stringify({ item_id: delta, type, sequence_number: 3, delta })
      const isDelta = type.endsWith('.delta')
      t.same(read(text), isDelta ? [Buffer.byteLength(JSON.stringify(delta)) - 2, 3] : null, text)
    }
  }
})
