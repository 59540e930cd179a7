// Items of tools that the vendor runs: images, and what is opaque.
import { test } from 'tap'
import {
  decodeImage,
  decodeMade,
  encodeMade,
  hasPlaceFor,
} from '../../../../src/protocols/openai-responses/parts/made.js'

const IMAGE = {
  id: 'ig_1',
  type: 'image_generation_call',
  status: 'completed',
  result: 'UklGRg==',
  output_format: 'webp',
}
const SEARCH = { id: 'ws_1', type: 'web_search_call', status: 'completed' }

test('an image is its bytes, in the format that the item tells or the vendor’s own', async (t) => {
  const source = { kind: 'base64', mediaType: 'image/webp', base64: 'UklGRg==' }
  t.same(decodeMade(IMAGE), { kind: 'image', source })
  t.match(decodeImage({ result: 'iVBO' }), { mediaType: 'image/png' })
  t.equal(decodeMade({ ...IMAGE, result: null }), null, 'one that was not made')
})

test('other items are opaque; those that are read part by part, or have no type, are none', async (t) => {
  t.same(decodeMade(SEARCH), { kind: 'opaque', wire: 'openai-responses', name: 'web_search_call', value: SEARCH })
  for (const type of ['message', 'reasoning', 'function_call', 'custom_tool_call', 7, '']) {
    t.equal(decodeMade({ type }), null, String(type))
  }
})

test('an item begins without its image, and what is opaque is the same all along', async (t) => {
  const image = decodeMade(IMAGE)
  const search = decodeMade(SEARCH)
  if (image === null || search === null) throw new Error('none')
  t.same(encodeMade('ig_1', image).whole, IMAGE)
  t.same(encodeMade('ig_1', image).begun, { id: 'ig_1', type: IMAGE.type, status: 'in_progress', result: null })
  t.same(encodeMade('x', search), { begun: SEARCH, whole: SEARCH })
})

test('an image by URL has no place, nor what is another wire’s own', async (t) => {
  t.notOk(hasPlaceFor({ kind: 'image', source: { kind: 'url', url: 'https://a' } }))
  t.match(encodeMade('ig_1', { kind: 'image', source: { kind: 'url', url: 'https://a' } }).whole, { result: '' })
  t.notOk(hasPlaceFor({ kind: 'opaque', wire: 'another', name: 'x', value: {} }))
})
