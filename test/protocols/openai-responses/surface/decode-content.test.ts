// Parts of messages and results.
import { test } from 'tap'
import { type JsonObject } from '../../../../src/model/json.js'
import {
  decodeContent,
  decodeTexts,
  decodeWords,
} from '../../../../src/protocols/openai-responses/surface/decode-content.js'
import { thrownBy } from '../../../helpers/thrown.js'

const one = (part: JsonObject) => decodeContent([part], 'p')[0]
const refusal = (part: JsonObject) => thrownBy(() => one(part)).param

test('text in every form is text', async (t) => {
  t.same(decodeContent('hi', 'p'), [{ type: 'text', text: 'hi' }])
  t.same(decodeContent(undefined, 'p'), [])
  for (const type of ['input_text', 'output_text', 'text'])
    t.same(one({ type, text: 'x' }), { type: 'text', text: 'x' })
  t.same(one({ type: 'refusal', refusal: 'No.' }), { type: 'text', text: 'No.' })
  t.same(one({ type: 'input_text', text: 'x', prompt_cache_breakpoint: { mode: 'explicit' } }), {
    type: 'text',
    text: 'x',
    cacheBreakpoint: true,
  })
})

test('images and documents keep their bytes or their URL', async (t) => {
  t.same(one({ type: 'input_image', image_url: 'data:image/PNG;base64,AA==', detail: 'low' }), {
    type: 'image',
    source: { kind: 'base64', mediaType: 'image/png', base64: 'AA==' },
    detail: 'low',
    path: 'p.0',
  })
  t.match(one({ type: 'input_image', image_url: 'https://x/a.png', detail: 'original' }), {
    source: { kind: 'url', url: 'https://x/a.png' },
    detail: null,
  })
  t.match(one({ type: 'input_file', file_url: 'https://x/a.pdf', filename: 'a.pdf' }), {
    type: 'document',
    source: { kind: 'url' },
    name: 'a.pdf',
  })
  t.match(one({ type: 'input_file', file_data: 'JVBE' }), { source: { mediaType: 'application/pdf', base64: 'JVBE' } })
  t.match(one({ type: 'input_file', file_data: 'data:image/png;base64,AA==' }), { type: 'image' })
  t.match(one({ type: 'input_file', filename: 'a.csv', file_data: 'data:text/csv;base64,YSxi' }), {
    type: 'text',
    text: '<document title="a.csv">\na,b\n</document>',
  })
})

test('what has no form of ours is foreign, and what is no content is refused', async (t) => {
  t.same(one({ type: 'input_audio' }), { type: 'foreign', kind: 'input_audio', path: 'p.0' })
  t.equal(refusal({ type: 'input_image' }), 'p.0.image_url')
  t.equal(refusal({ type: 'input_image', image_url: 'data:image/png,x' }), 'p.0.image_url')
  t.equal(refusal({ type: 'input_file' }), 'p.0.file_data')
  t.equal(thrownBy(() => decodeContent([7], 'p')).param, 'p.0')
})

test('what the model said is text or a refusal', async (t) => {
  const parts = [
    { type: 'output_text', text: 'x' },
    { type: 'refusal', refusal: '' },
    { type: 'refusal', refusal: 'No.' },
  ]
  t.same(decodeWords(parts, 'p'), [
    { type: 'text', text: 'x' },
    { type: 'refusal', text: 'No.' },
  ])
  t.same(decodeWords('x', 'p'), [{ type: 'text', text: 'x' }])
  t.equal(thrownBy(() => decodeWords([{ type: 'input_image', image_url: 'https://x/a.png' }], 'p')).param, 'p.0.type')
})

test('a role that holds only text refuses the rest; empty texts are none', async (t) => {
  t.same(
    decodeTexts(
      [
        { type: 'input_text', text: '' },
        { type: 'output_text', text: 'x' },
      ],
      'p',
    ),
    [{ type: 'text', text: 'x' }],
  )
  t.equal(thrownBy(() => decodeTexts([{ type: 'input_image', image_url: 'https://x/a.png' }], 'p')).param, 'p.0.type')
})
