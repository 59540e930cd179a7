// Which URLs are wanted for a target that takes bytes, and how what has come takes their place.
import { test } from 'tap'
import {
  type DocumentPart,
  type ImagePart,
  type MediaPart,
  type Message,
  type UserPart,
} from '../../../src/model/request.js'
import { type Attachment, attach, wantedUrls } from '../../../src/protocols/fit/attach.js'
import { request } from '../../helpers/targets.js'

const image = (url: string): ImagePart => ({ type: 'image', source: { kind: 'url', url }, detail: null, path: 'p' })
const document = (url: string): DocumentPart => ({
  type: 'document',
  source: { kind: 'url', url },
  name: 'n',
  path: 'p',
})
const user = (...content: UserPart[]): Message => ({ role: 'user', content })
const result = (...content: UserPart[]): Message => {
  return { role: 'tool', content: [{ type: 'tool-result', callId: 'c', name: null, content, isError: false }] }
}
const answer: Message = { role: 'assistant', content: [{ type: 'text', text: 'b' }] }
const takesBytes = ({ source }: MediaPart) => source.kind === 'base64'
const wanted = (messages: Message[], carries = takesBytes) => wantedUrls(request({ messages }), carries)

test('wanted are the addresses that the target does not take, each once, the newest first', async (t) => {
  const messages = [
    user(image('https://a')),
    answer,
    result(image('http://b'), image('https://a')),
    user(document('https://c')),
  ]
  t.strictSame(wanted(messages), ['https://c', 'http://b', 'https://a'])
})

test('does not fetch what the target takes unchanged, cannot take at all, or what cannot be fetched', async (t) => {
  t.strictSame(
    wanted([user(image('https://a'))], () => true),
    [],
  )
  t.strictSame(
    wanted([user(image('https://a'))], () => false),
    [],
  )
  t.strictSame(
    wanted([user(image('gs://a'), { type: 'foreign', kind: 'x', path: 'p' }, { type: 'text', text: 'a' })]),
    [],
  )
  const imagesOnly = (part: MediaPart) => takesBytes(part) && part.type === 'image'
  t.strictSame(wanted([user(document('https://a'), image('https://b'))], imagesOnly), ['https://b'])
})

test('what has come takes the place of its URL, in turns and results; what has not, or is of another kind, does not', async (t) => {
  const png = { kind: 'base64', mediaType: 'image/png', base64: 'QQ==' } as const
  const came: Attachment[] = [
    { url: 'https://a', source: png },
    { url: 'https://b', source: null },
    { url: 'https://c', source: png },
  ]
  const text: UserPart = { type: 'text', text: 'a' }
  const messages = [
    user(image('https://a'), image('https://b'), document('https://c'), text),
    answer,
    result(image('https://a')),
  ]
  const attached = attach(request({ messages }), came).messages
  t.strictSame(attached[0], user({ ...image(''), source: png }, image('https://b'), document('https://c'), text))
  t.equal(attached[1], answer)
  t.strictSame(attached[2], result({ ...image(''), source: png }))
})
