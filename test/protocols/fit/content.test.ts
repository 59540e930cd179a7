// The rule for content that a target cannot carry: refused in the turn just sent, a line of text in history.
import { test } from 'tap'
import { type ImagePart, type Message, type UserPart } from '../../../src/model/request.js'
import { fitContent, kindOf, refuseContent, standIn } from '../../../src/protocols/fit/content.js'
import { request } from '../../helpers/targets.js'
import { thrownBy } from '../../helpers/thrown.js'

const text: UserPart = { type: 'text', text: 'a' }
const answer: Message = { role: 'assistant', content: [{ type: 'text', text: 'b' }] }
const image: ImagePart = {
  type: 'image',
  source: { kind: 'url', url: 'https://x.example/a.png' },
  detail: null,
  path: 'messages.0.content.1',
}
const user = (...content: UserPart[]): Message => ({ role: 'user', content })
const result = (...content: UserPart[]): Message => {
  return { role: 'tool', content: [{ type: 'tool-result', callId: 'c', name: null, content, isError: false }] }
}
const fit = (messages: Message[], isCarried = false) => fitContent(request({ messages }), () => isCarried)
const OMITTED = { type: 'text', text: '[image omitted: this model cannot read it]' }

test('a request that is carried whole is the same object', async (t) => {
  const asked = request({ messages: [user(text, image), answer, result(text)] })
  t.equal(fitContent(asked, () => true).request, asked)
  t.strictSame(fitContent(asked, () => true).dropped, [])
})

test('in the turn just sent it is refused by its path, and another target may carry it', async (t) => {
  t.match(
    thrownBy(() => fit([answer, user(text, image)])),
    { code: 'invalid_request', status: 400, param: 'messages.0.content.1', retryable: true, message: /base64/ },
  )
})

test('in history a line of text replaces it, and it is named once', async (t) => {
  const { request: fitted, dropped } = fit([user(text, image), answer, user(image), answer, user(text)])
  t.strictSame(fitted.messages[0], user(text, OMITTED as UserPart))
  t.strictSame(fitted.messages[2], user(OMITTED as UserPart))
  t.strictSame(dropped, ['image_url'])
})

test("in a tool's results, and behind them, it never ends an agent's session", async (t) => {
  const { request: fitted, dropped } = fit([answer, result(text, image), user(image, text)])
  t.strictSame(fitted.messages[1], result(text, OMITTED as UserPart))
  t.strictSame(fitted.messages[2], user(OMITTED as UserPart, text))
  t.strictSame(dropped, ['image_url'])
  t.strictSame(fit([answer, result(image)]).dropped, ['image_url'])
})

test('what was to be fetched and has not come is refused as that; what was never tried, as what it is', async (t) => {
  const refusalOf = (url: string) =>
    thrownBy(() => fitContent(request({ messages: [user(image)] }), () => false, [{ url }]))
  t.match(refusalOf('https://x.example/a.png'), {
    code: 'invalid_request',
    param: 'messages.0.content.1',
    message: /could not be fetched/,
    retryable: true,
  })
  t.match(refusalOf('https://x.example/b.png'), { message: /an image by URL, which/ })
})

test('foreign content is never carried', async (t) => {
  const audio: UserPart = { type: 'foreign', kind: 'input_audio', path: 'messages.0.content.0' }
  t.match(
    thrownBy(() => fit([user(audio)], true)),
    { param: 'messages.0.content.0', message: /input_audio/ },
  )
  t.strictSame(fit([user(audio), answer, user(text)], true).dropped, ['input_audio'])
})

test('a file that is stored elsewhere is refused in the newest turn, and named in history', async (t) => {
  const file: UserPart = { type: 'file', wire: 'w', id: 'file-1', mediaType: null, path: 'messages.0.content.0.file' }
  t.match(
    thrownBy(() => fit([user(file)], false)),
    { param: 'messages.0.content.0.file', message: /stored at another provider, .* send its content/ },
  )
  const fitted = fit([user(file), answer, user(text)], false)
  t.strictSame(fitted.dropped, ['file'])
  t.same(fitted.request.messages[0]?.content, [{ type: 'text', text: '[file omitted: this model cannot read it]' }])
  t.strictSame(fit([user(file)], true).dropped, [])
})

test('each kind of content has a name, a replacement line and a helpful refusal', async (t) => {
  const bytes = { kind: 'base64', mediaType: 'application/pdf', base64: '' } as const
  const document = { type: 'document', source: bytes, name: 'a.pdf', path: 'p' } as const
  t.equal(kindOf(document), 'document')
  t.equal(kindOf({ ...image, source: bytes }), 'image')
  t.equal(standIn(document).text, '[document "a.pdf" omitted: this model cannot read it]')
  t.equal(standIn({ ...document, name: null }).text, '[document omitted: this model cannot read it]')
  t.match(refuseContent(document).message, /'p' is a document, .* send its text\./)
  t.match(refuseContent({ ...document, source: image.source }).message, /'p' is a document by URL, /)
  t.match(refuseContent({ ...image, source: bytes }).message, /is an image, which/)
})
