// SluiceSocket against a server that keeps streams, over sockets that are cut: each chat goes on after its last event, and ends as it
// really ended.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'tap'
import { WebSocket } from 'ws'
import {
  ChatFailedError,
  SluiceSocket,
  type SluiceSocketOptions,
  type SocketChat,
  StreamLostError,
} from '../../src/client/index.js'
import { type Cut, startCuttingProxy } from '../helpers/cutting-proxy.js'
import { type Teardown } from '../helpers/gateway.js'
import { chatFrames, KeptStreams, type KeptStreamsOptions, type ScriptedStream } from '../helpers/kept-streams.js'

const WORDS = ['Zażółć ', 'gęślą ', 'jaźń, ', '你好 ', '👋 ', 'world']
const TEXT = WORDS.join('')
const REQUEST = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] }

function playAll(stream: ScriptedStream): void {
  stream.push(...chatFrames(WORDS))
  stream.end()
}

function playSome(stream: ScriptedStream): void {
  stream.push(...chatFrames(WORDS).slice(0, 2))
}

type Setup = Partial<KeptStreamsOptions> & { readonly cuts?: (connection: number) => Cut | null }

async function start(t: Teardown, { cuts, ...options }: Setup = {}, own: SluiceSocketOptions = {}) {
  const kept = await KeptStreams.start(t, { play: playAll, ...options })
  const proxy = await startCuttingProxy(t, kept.port, cuts ?? (() => null))
  const connect = () => {
    const socket = new SluiceSocket(`ws://127.0.0.1:${proxy.port}/v1/ws`, { WebSocket, random: () => 0, ...own })
    t.teardown(() => socket.close())
    return socket
  }
  const messages = () => kept.messages.map((text) => JSON.parse(text))
  return { kept, proxy, connect, socket: connect(), messages }
}

async function textOf(chat: SocketChat): Promise<string> {
  let text = ''
  for await (const chunk of chat) text += chunk.choices[0]?.delta.content ?? ''
  return text
}

/** Loses every socket as a network does. */
function cutAll({ sockets }: KeptStreams): void {
  for (const socket of sockets) socket.terminate()
}

test('several chats on a socket that is cut at any byte are each read whole', async (t) => {
  const cuts: (Cut | null)[] = []
  const { proxy, connect } = await start(t, { cuts: () => cuts.shift() ?? null })
  for (let at = 0; at < 2600; at += 13) {
    const rest = { afterBytes: (at * 7) % 1500, how: 'rst' } as const
    cuts.splice(0, cuts.length, { afterBytes: at, how: at % 2 === 0 ? 'fin' : 'rst' }, rest)
    const socket = connect()
    const chats = [socket.chat(REQUEST), socket.chat(REQUEST), socket.chat(REQUEST)]
    for (const text of await Promise.all(chats.map(textOf))) if (text !== TEXT) t.equal(text, TEXT, `cut at ${at}`)
    const [end] = await Promise.all(chats.map((chat) => chat.result))
    t.match(end, { outcome: 'complete', requestId: /^r-str_/ })
    socket.close()
  }
  t.ok(proxy.counts.cut > 300, `${proxy.counts.cut} cuts`)
})

test('a chat names its API, also when it is sent again; the chat API needs no name', async (t) => {
  const { kept, socket, messages } = await start(t)
  kept.isDeaf = true
  const body = { model: 'm', max_tokens: 9, messages: [] }
  const lost = new Promise((resolve) => socket.on('lost', resolve))
  const chats = [
    socket.chat(body, { api: 'messages' }),
    socket.chat({ input: 'Hi' }, { api: 'responses' }),
    socket.chat(REQUEST, { api: 'chat' }),
    socket.chat(REQUEST),
  ]
  await lost
  kept.isDeaf = false
  await Promise.all(chats.map((chat) => chat.result))
  const sent = messages().filter(({ type }) => type === 'chat')
  for (const some of [sent.slice(0, 1), sent.slice(-4)]) {
    for (const { id, api, request } of some) {
      t.equal(api, { c1: 'messages', c2: 'responses', c3: 'chat' }[String(id)])
      t.same(request, { c1: body, c2: { input: 'Hi' } }[String(id)] ?? REQUEST)
    }
  }
  t.ok(sent.length > 4)
})

test('a lost socket is replaced, and each chat continues by its stream and its last number', async (t) => {
  const { kept, socket, messages } = await start(t, { play: playSome })
  const seen: object[] = []
  socket.on('open', (event) => seen.push(event))
  socket.on('lost', (event) => seen.push(event))
  const chat = socket.chat(REQUEST)
  chat.on('opened', (event) => seen.push(event))
  chat.on('resumed', (event) => seen.push(event))
  const iterator = chat[Symbol.asyncIterator]()
  await iterator.next()
  await iterator.next()
  cutAll(kept)
  while (messages().length < 2) await turn()
  const stream = kept.streams.get('str_0')
  stream?.push(...chatFrames(WORDS).slice(2))
  stream?.end()
  const words: (string | null | undefined)[] = []
  for await (const chunk of { [Symbol.asyncIterator]: () => iterator }) words.push(chunk.choices[0]?.delta.content)
  t.same(words, WORDS.slice(2))
  t.match(messages(), [
    { type: 'chat', id: chat.id, request: REQUEST, resume: true, queue: true },
    { type: 'resume', id: chat.id, stream: 'str_0', after: 1 },
  ])
  t.match(seen, [
    { isFirst: true },
    { stream: 'str_0', requestId: 'r-str_0' },
    { code: 1006, chats: 1 },
    { isFirst: false },
    { after: 1 },
  ])
})

test('a token is fetched for each socket and goes in a subprotocol', async (t) => {
  let count = 0
  const token = async () => `token/${++count}=ż`
  const { kept, socket } = await start(t, { play: playSome }, { token })
  const chat = socket.chat(REQUEST)
  await chat[Symbol.asyncIterator]().next()
  cutAll(kept)
  while (kept.protocols.length < 2) await turn()
  const tokens = kept.protocols.map((protocol) => {
    const [first, second = ''] = protocol.split(/, ?/)
    t.equal(first, 'sluice.v1')
    t.match(second, /^bearer64\.[\w-]+$/)
    return Buffer.from(second.slice('bearer64.'.length), 'base64url').toString()
  })
  t.same(tokens, ['token/1=ż', 'token/2=ż'])
})

test('a chat that is cancelled, left, or whose signal is aborted ends here at once and at the gateway', async (t) => {
  const { kept, socket } = await start(t, { play: playSome })
  const controller = new AbortController()
  const chats = [socket.chat(REQUEST), socket.chat(REQUEST), socket.chat(REQUEST, { signal: controller.signal })]
  const [first, second, third] = chats as [SocketChat, SocketChat, SocketChat]
  for await (const _ of second) break
  first.cancel()
  controller.abort()
  for (const chat of chats) t.match(await chat.result, { outcome: 'client_gone' })
  t.same(await third[Symbol.asyncIterator]().next(), { done: true, value: undefined } as object)
  while ([...kept.streams.values()].some(({ isCancelled }) => !isCancelled)) await turn()
  t.match(await socket.chat(REQUEST, { signal: AbortSignal.abort() }).result, { outcome: 'client_gone' })
})

test('a chat that is cancelled while there is no socket is cancelled on the next', async (t) => {
  const { kept, socket } = await start(t, { play: playSome })
  const chat = socket.chat(REQUEST)
  await chat[Symbol.asyncIterator]().next()
  const lost = new Promise((resolve) => socket.on('lost', resolve))
  cutAll(kept)
  await lost
  chat.cancel()
  while (kept.streams.get('str_0')?.isCancelled !== true) await turn()
  t.match(JSON.parse(kept.messages.at(-1) ?? ''), { type: 'cancel', id: chat.id })
})

test('listeners get events, queue positions and nothing after they are removed; the iterator then gets none', async (t) => {
  const { kept, socket } = await start(t, { play: () => undefined })
  const chat = socket.chat(REQUEST)
  const seen: unknown[] = []
  const remove = chat.on('event', (chunk) => seen.push(chunk.choices[0]?.delta.content))
  chat.on('queued', (event) => seen.push(event))
  while (kept.streams.size === 0) await turn()
  for (const client of kept.sockets)
    client.send(JSON.stringify({ type: 'queued', id: chat.id, position: 3, etaMs: null }))
  const stream = kept.streams.get('str_0')
  stream?.push(...chatFrames(WORDS).slice(0, 2))
  while (seen.length < 3) await turn()
  t.same(seen, [{ position: 3, etaMs: null }, WORDS[0], WORDS[1]])
  remove()
  stream?.push(...chatFrames(WORDS).slice(2))
  stream?.end()
  t.equal(await textOf(chat), WORDS.slice(2).join(''))
  t.equal(seen.length, 3)
})

test('an event that comes again is left out, and a chat that was stopped elsewhere is no whole answer', async (t) => {
  const { kept, socket } = await start(t, { play: () => undefined })
  const chat = socket.chat(REQUEST)
  const seen: unknown[] = []
  chat.on('event', (chunk) => seen.push(chunk))
  while (kept.streams.size === 0) await turn()
  for (const client of kept.sockets) {
    for (const seq of [0, 1, 1, 0, 2]) {
      client.send(JSON.stringify({ type: 'event', id: chat.id, seq, data: { seq } }))
    }
    client.send(JSON.stringify({ type: 'done', id: chat.id, requestId: 'r', outcome: 'client_gone' }))
  }
  await t.rejects(chat.result, { name: 'StreamLostError', reason: 'ended', stream: 'str_0', after: 2 })
  t.same(seen, [{ seq: 0 }, { seq: 1 }, { seq: 2 }])
})

test('an error of the gateway is thrown into the loop and the result, one without a chat goes to the listener', async (t) => {
  const { kept, socket } = await start(t, { play: () => undefined })
  const chat = socket.chat(REQUEST)
  const other: ChatFailedError[] = []
  socket.on('error', (error) => other.push(error))
  while (kept.streams.size === 0) await turn()
  const error = { message: 'Too many requests.', type: 'rate_limit_error', code: 'rate_limited', param: null }
  for (const client of kept.sockets) {
    client.send(JSON.stringify({ type: 'error', id: null, error: { message: 'Unreadable.' } }))
    client.send(JSON.stringify({ type: 'error', id: chat.id, seq: 4, requestId: 'r', error, outcome: 'rejected' }))
  }
  const expected = { name: 'ChatFailedError', ...error, requestId: 'r', outcome: 'rejected' }
  await t.rejects(textOf(chat), expected)
  await t.rejects(chat.result, expected)
  t.match(other, [{ message: 'Unreadable.', code: null, requestId: null }])
  t.ok(other[0] instanceof ChatFailedError)
})

test('a stream that is gone, or was never kept, is a StreamLostError', async (t) => {
  const { kept, socket } = await start(t, { play: playSome })
  const chat = socket.chat(REQUEST)
  await chat[Symbol.asyncIterator]().next()
  kept.streams.clear()
  cutAll(kept)
  const lost = await chat.result.catch((error: unknown) => error)
  t.ok(lost instanceof StreamLostError)
  t.match(lost, { reason: 'gone', stream: 'str_0' })
  const resumes = kept.messages.filter((text) => text.includes('"type":"resume"'))
  t.equal(resumes.length, 3, 'a node may not know it yet')

  // It was not kept, and an event had come: sent again, the chat would begin anew.
  kept.isKeeping = false
  const unkept = socket.chat(REQUEST, { resume: false })
  await unkept[Symbol.asyncIterator]().next()
  t.notOk('resume' in JSON.parse(kept.messages.at(-1) ?? ''))
  cutAll(kept)
  await t.rejects(unkept.result, { name: 'StreamLostError', reason: 'unkept', stream: null })
})

test('a gateway that cannot take a stream over right now is asked again', async (t) => {
  const { kept, socket, messages } = await start(t, { play: playSome })
  const chat = socket.chat(REQUEST)
  await chat[Symbol.asyncIterator]().next()
  const stream = kept.streams.get('str_0')
  kept.refusals = 1
  cutAll(kept)
  while (messages().filter(({ type }) => type === 'resume').length < 2) await turn()
  stream?.end()
  t.match(await chat.result, { outcome: 'complete' })
})

test('a key that is refused twice, with a token fetched anew, fails the chats', async (t) => {
  const tokens: number[] = []
  const { kept, socket } = await start(t, {}, { token: () => String(tokens.push(1)) })
  kept.closeWith = 4401
  await t.rejects(socket.chat(REQUEST).result, { name: 'ChatFailedError', code: 'unauthenticated' })
  t.equal(tokens.length, 2)
  kept.closeWith = null
  t.equal(await textOf(socket.chat(REQUEST)), TEXT, 'and the next chat tries again')
})

test('a gateway that stays away fails the chats after maxOfflineMs, and so does a token that cannot be fetched', async (t) => {
  const options = { WebSocket, maxOfflineMs: 300 }
  const nowhere = new SluiceSocket('ws://127.0.0.1:1/v1/ws', options)
  await t.rejects(nowhere.chat(REQUEST).result, { name: 'StreamLostError', reason: 'unreachable', cause: Error })
  const tokenless = new SluiceSocket('ws://127.0.0.1:1/v1/ws', {
    ...options,
    token: () => {
      throw new Error('no token')
    },
  })
  await t.rejects(tokenless.chat(REQUEST).result, { reason: 'unreachable', cause: { message: 'no token' } })
})

test('a chat that ends every socket before it is acknowledged is not sent for ever', async (t) => {
  const { kept, socket, messages } = await start(t, {})
  kept.isDeaf = true
  await t.rejects(socket.chat(REQUEST).result, { name: 'ChatFailedError', message: /too large for a message/ })
  t.equal(messages().length, 4)
})

test('a socket that is silent although it was asked for a sign of life is replaced; one that answers is kept', async (t) => {
  const { kept, socket, messages } = await start(t, { play: playSome }, { idleMs: 60 })
  const chat = socket.chat(REQUEST)
  await chat[Symbol.asyncIterator]().next()
  while (messages().filter(({ type }) => type === 'ping').length < 3) await turn()
  t.equal(messages().filter(({ type }) => type === 'resume').length, 0)
  kept.isSilent = true
  while (!messages().some(({ type }) => type === 'resume')) await turn()
  kept.isSilent = false
  chat.cancel()
})

test('close cancels what is open, and nothing opens after it', async (t) => {
  const { kept, socket } = await start(t, { play: playSome })
  const chat = socket.chat(REQUEST)
  await chat[Symbol.asyncIterator]().next()
  const [client] = kept.sockets
  const closed = client === undefined ? [] : once(client, 'close')
  socket.close()
  socket.close()
  t.match(await chat.result, { outcome: 'client_gone' })
  t.match(await closed, [1000])
  t.ok(kept.streams.get('str_0')?.isCancelled)
  t.throws(() => socket.chat(REQUEST), /is closed/)
})
