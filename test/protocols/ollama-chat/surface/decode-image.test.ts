// The type of an image, by its first bytes.
import { test } from 'tap'
import { decodeImage } from '../../../../src/protocols/ollama-chat/surface/decode-image.js'

test('the type follows from the bytes, or from a data URL', async (t) => {
  for (const [text, mediaType, base64] of [
    ['iVBORw0KGgoAAA', 'image/png', 'iVBORw0KGgoAAA'],
    ['/9j/4AAQ', 'image/jpeg', '/9j/4AAQ'],
    ['R0lGODlh', 'image/gif', 'R0lGODlh'],
    ['UklGRh4', 'image/webp', 'UklGRh4'],
    ['AAAA', 'image/png', 'AAAA'],
    ['data:image/webp;base64,UklGRh4', 'image/webp', 'UklGRh4'],
  ] as const) {
    t.same(decodeImage(text, 'p'), {
      type: 'image',
      source: { kind: 'base64', mediaType, base64 },
      detail: null,
      path: 'p',
    })
  }
})
