// A prompt as a canonical request.
import { test } from 'tap'
import { decodeGenerate } from '../../../../src/protocols/ollama-chat/surface/decode-generate.js'
import { thrownBy } from '../../../helpers/thrown.js'

test('a prompt is one turn, with its system text and images', async (t) => {
  const request = decodeGenerate({ model: 'm', prompt: 'Hi', system: 'Be brief.', images: ['/9j/4AAQ'], stream: false })
  t.match(request, {
    stream: false,
    system: [{ type: 'text', text: 'Be brief.' }],
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hi' },
          { type: 'image', path: 'images.0' },
        ],
      },
    ],
    extensions: {},
  })
})

test('what only a server with the model can do is named, or refused where the answer would be another', async (t) => {
  const { extensions } = decodeGenerate({
    model: 'm',
    prompt: 'Hi',
    raw: true,
    context: [1],
    template: 'x',
    suffix: '',
  })
  t.same(extensions, { raw: true, context: [1], template: 'x' })
  t.same(decodeGenerate({ model: 'm', prompt: 'Hi', raw: false }).extensions, { raw: false })
  t.match(
    thrownBy(() => decodeGenerate({ model: 'm', prompt: 'a', suffix: 'b' })),
    { param: 'suffix', retryable: true },
  )
  t.match(
    thrownBy(() => decodeGenerate({ model: 'm' })),
    { param: 'prompt' },
  )
})
