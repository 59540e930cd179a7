// Images that a model makes, beside the text of a message.
import { test } from 'tap'
import { decodeImages, encodeImage } from '../../../src/protocols/openai-chat/images.js'

test('images are bytes or addresses, and come back as they were', async (t) => {
  const bytes = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBO' } }
  const address = { type: 'image_url', image_url: { url: 'https://example.org/a.png' } }
  const images = decodeImages([bytes, address, 7, { image_url: { url: '' } }, { image_url: 'x' }])
  t.same(images, [
    { kind: 'base64', mediaType: 'image/png', base64: 'iVBO' },
    { kind: 'url', url: 'https://example.org/a.png' },
  ])
  t.same(images.map(encodeImage), [bytes, address])
  t.same(decodeImages(null), [])
})
