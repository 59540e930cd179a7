// The rule of where work is done, and that both ways give the same.
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { type Test, test } from 'tap'
import { createOffload, type OffloadOptions } from '../../src/offload/offload.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { encodeText } from '../../src/wire/json.js'
import { fakeTarget } from '../helpers/fake-protocol.js'
import { createRig, fakeBody } from '../helpers/offload.js'
import { testTarget } from '../helpers/targets.js'
import { rejectionOf, thrownBy } from '../helpers/thrown.js'

const fallback = { id: 'r', model: 'm', createdSec: 1, usage: null }

test('does bodies below minBytes at once and sends the others to a worker', async (t) => {
  const small = fakeBody()
  const { offload, tasks } = createRig({ minBytes: small.byteLength + 1 })
  t.teardown(() => offload.close())
  const inline = offload.decode('fake-sse', small)
  t.notOk(inline instanceof Promise)
  t.equal((await inline).body, small, 'inline the body stays the same object')
  const large = fakeBody('m', 'hé!')
  const size = large.byteLength
  const offloaded = offload.decode('fake-sse', large)
  t.ok(offloaded instanceof Promise)
  const decoded = await offloaded
  t.equal(large.byteLength, 0, 'the body has moved')
  t.equal(decoded.body.byteLength, size, 'and come back')
  t.equal(decoded.json, null)
  t.same(tasks, ['decode inline timed', 'decode worker timed'])
})

test('what becomes a part of the body counts with it', async (t) => {
  const { offload, tasks } = createRig({ minBytes: 4096 })
  t.teardown(() => offload.close())
  const decoded = await offload.decode('fake-sse', fakeBody())
  const task = {
    ...decoded,
    surfaceId: 'fake-sse',
    target: fakeTarget('fake-sse'),
    prompt: null,
    upstreamStream: false,
  }
  const source = { kind: 'base64', mediaType: 'image/png', base64: 'A'.repeat(4096) } as const
  const { original } = await offload.encode({
    ...task,
    attachments: [{ url: 'https://x.example/a.png', source: null }],
  })
  await offload.encode({ ...task, body: original, attachments: [{ url: 'https://x.example/a.png', source }] })
  t.same(tasks, ['decode inline timed', 'encode inline timed', 'encode worker timed'])
})

test('gives the same results inline and from a worker', async (t) => {
  const inline = createRig({ minBytes: Number.POSITIVE_INFINITY })
  const worker = createRig({ minBytes: 0 })
  t.teardown(() => Promise.all([inline.offload.close(), worker.offload.close()]))
  const run = async ({ offload }: typeof inline) => {
    const decoded = await offload.decode('fake-sse', fakeBody())
    const task = { ...decoded, surfaceId: 'fake-sse', prompt: null, upstreamStream: false }
    const same = await offload.encode({ ...task, target: fakeTarget('fake-sse') })
    const other = await offload.encode({ ...task, body: same.original, target: fakeTarget('fake-lines') })
    const answer = { surfaceId: 'fake-sse', target: fakeTarget('fake-lines'), fallback }
    return {
      decoded: { ...decoded, json: null, body: null },
      same: { ...same, original: null },
      other,
      aggregated: await offload.aggregate({
        ...answer,
        body: Buffer.from('{"done":true}\n').slice() as Uint8Array<ArrayBuffer>,
      }),
      transcoded: await offload.transcode({ ...answer, body: new Uint8Array(Buffer.from('{"text":"x"}')) }),
    }
  }
  t.same(await run(worker), await run(inline))
  t.same(
    worker.tasks,
    inline.tasks.map((task) => task.replace('inline', 'worker')),
  )
  t.equal(worker.tasks.length, 5)
})

test('throws what the codec throws, inline at once and from a worker as a rejection', async (t) => {
  const inline = createRig({ minBytes: Number.POSITIVE_INFINITY })
  const worker = createRig()
  t.teardown(() => worker.offload.close())
  const bad = () => new Uint8Array(Buffer.from('{"model":7}'))
  const expected = thrownBy(() => inline.offload.decode('fake-sse', bad()))
  t.equal(expected.code, 'invalid_request')
  t.same(await rejectionOf(worker.offload.decode('fake-sse', bad())), expected)
  t.same(inline.tasks, ['decode inline timed'], 'a task that fails is counted, too')
})

test('starts no thread before the first large body, and closes without one', async (t) => {
  const { offload } = createRig({ minBytes: 1000, workerUrl: new URL('file:///nowhere/at/all.js') })
  t.ok(offload.decode('fake-sse', fakeBody()))
  await offload.close()
})

test('says overloaded, not that the body is empty, when a body that was lost with a worker is encoded again', async (t) => {
  const inline = createRig({ minBytes: Number.POSITIVE_INFINITY })
  const worker = createRig({ minBytes: 1, workers: 1 })
  t.teardown(() => worker.offload.close())
  const decoded = await inline.offload.decode('fake-sse', fakeBody('!exit'))
  const task = {
    ...decoded,
    surfaceId: 'fake-sse',
    prompt: null,
    upstreamStream: false,
    target: fakeTarget('fake-lines'),
  }
  t.equal((await rejectionOf(worker.offload.encode(task))).code, 'overloaded')
  t.equal(decoded.body.byteLength, 0)
  t.equal(thrownBy(() => worker.offload.encode(task)).code, 'overloaded')
})

test('of a hundred bodies below minBytes in one turn, the pool takes those that are too much for it', async (t) => {
  const { offload, tasks } = createRig({ minBytes: 262_144, maxQueue: 1000 })
  t.teardown(() => offload.close())
  const large = () => fakeBody('m', 'x'.repeat(240_000))
  await Promise.all(Array.from({ length: 100 }, () => offload.decode('fake-sse', large())))
  const count = (where: string) => tasks.filter((task) => task === `decode ${where} timed`).length
  t.same([count('inline'), count('worker')], [2, 98])
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    offload.decode('fake-sse', large())
  }
  t.equal(count('inline'), 6, 'one in a turn is done there')
  for (let i = 0; i < 1000; i++) offload.decode('fake-sse', fakeBody())
  t.equal(count('worker'), 98, 'and small ones always are')
})

test('a full pool gets nothing that may be done here', async (t) => {
  const { offload, tasks } = createRig({ minBytes: 262_144, workers: 1, maxQueue: 1 })
  t.teardown(() => offload.close())
  const large = () => fakeBody('m', 'x'.repeat(240_000))
  await Promise.all(Array.from({ length: 100 }, () => offload.decode('fake-sse', large())))
  const count = (where: string) => tasks.filter((task) => task === `decode ${where} timed`).length
  t.same([count('inline'), count('worker')], [83, 17], '16 in hand and one that waits')
})

const LONG = 'a "word"\n'.repeat(8000)

function chatBody(over: object = {}): Uint8Array<ArrayBuffer> {
  return encodeText(JSON.stringify({ model: 'm', messages: [{ role: 'user', content: LONG }], ...over }))
}

/** One with the real protocols, as the fake ones have no bulk. */
function createRealRig(t: Test, options: Partial<OffloadOptions>) {
  const tasks: string[] = []
  const metrics = {
    offloadTask: (task: string, where: string) => void tasks.push(`${task} ${where}`),
    offloadQueue: () => undefined,
  }
  const defaults = { minBytes: 262_144, workers: 1, maxQueue: 10, taskTimeoutMs: 20_000, metrics }
  const offload = createOffload(createCodec(PROTOCOLS), { ...defaults, ...options })
  t.teardown(() => offload.close())
  const pass = async (body: Uint8Array<ArrayBuffer>, protocol: string, quirks = {}) => {
    const decoded = await offload.skim('openai-chat', body)
    const target = testTarget(protocol, { model: 'other' }, quirks)
    return offload.encode({ ...decoded, surfaceId: 'openai-chat', target, prompt: null, upstreamStream: false })
  }
  return { offload, tasks, pass }
}

test('a large request to its own API is skimmed and edited here, and one to another goes to a worker once', async (t) => {
  const { tasks, pass } = createRealRig(t, {})
  const own = await pass(chatBody(), 'openai-chat')
  t.equal(Buffer.concat(own.pieces ?? []).toString(), Buffer.from(chatBody({ model: 'other' })).toString())
  t.same(tasks.splice(0), ['decode inline', 'encode inline'])
  const other = await pass(chatBody(), 'anthropic-messages')
  t.equal(JSON.parse(Buffer.from(other.body).toString()).messages[0].content[0].text === LONG, true)
  t.equal(other.original.length, chatBody().length)
  t.same(tasks.splice(0), ['decode inline', 'encode worker'])
  const system = { messages: [{ role: 'developer', content: LONG }] }
  const edited = await pass(chatBody(system), 'openai-chat', { developerRole: false })
  t.equal(JSON.parse(Buffer.from(edited.body).toString()).messages[0].role, 'system')
  t.same(tasks, ['decode inline', 'encode worker'], 'nor may one stay in which something must be edited')
})

test('what a worker skims is edited here, and what is wrong with it is told by either', async (t) => {
  const { offload, tasks, pass } = createRealRig(t, { minBytes: 0 })
  const own = await pass(chatBody(), 'openai-chat')
  t.equal(Buffer.concat(own.pieces ?? []).toString(), Buffer.from(chatBody({ model: 'other' })).toString())
  t.same(tasks, ['decode worker', 'encode inline'])
  const inline = createRealRig(t, { minBytes: Number.POSITIVE_INFINITY })
  const wrong = chatBody({ temperature: 9 })
  t.equal((await rejectionOf(offload.skim('openai-chat', new Uint8Array(wrong)))).param, 'temperature')
  t.equal(thrownBy(() => inline.offload.skim('openai-chat', wrong)).param, 'temperature')
  const broken = Buffer.from(chatBody()).subarray(0, -1)
  const messages = [
    (await rejectionOf(offload.skim('openai-chat', new Uint8Array(broken)))).message,
    thrownBy(() => inline.offload.skim('openai-chat', new Uint8Array(broken))).message,
    thrownBy(() => inline.offload.decode('openai-chat', new Uint8Array(broken))).message,
  ]
  t.match(messages[0], /not valid JSON \(at character \d+\)/)
  t.equal(new Set(messages).size, 1)
})

test('a skimmed request waits for a worker like a new one: its bytes count', async (t) => {
  const { tasks, offload, pass } = createRealRig(t, { maxDecodingBytes: 1, minBytes: 65_536 })
  const first = pass(chatBody(), 'anthropic-messages')
  t.equal((await rejectionOf(pass(chatBody(), 'anthropic-messages'))).code, 'overloaded')
  t.ok((await first).body.length > 0)
  t.ok((await pass(chatBody(), 'anthropic-messages')).body.length > 0)
  t.equal(tasks.filter((task) => task === 'encode worker').length, 2)
  await offload.close()
})

test('of small requests that are skimmed and translated in one turn, none pays for a worker', async (t) => {
  const { tasks, pass } = createRealRig(t, {})
  const small = () => chatBody({ messages: [{ role: 'user', content: 'x'.repeat(30_000) }] })
  await Promise.all(Array.from({ length: 10 }, () => pass(small(), 'anthropic-messages')))
  t.same(tasks, [...new Array(10).fill('decode inline'), ...new Array(10).fill('encode inline')])
})

test('what cannot be skimmed is looked at once before it is read in full', async (t) => {
  const codec = createCodec(PROTOCOLS)
  let skims = 0
  const counting = {
    ...codec,
    skimBody: (...args: Parameters<typeof codec.skimBody>) => {
      skims += 1
      return codec.skimBody(...args)
    },
  }
  const metrics = { offloadTask: () => undefined, offloadQueue: () => undefined }
  const defaults = { minBytes: 262_144, workers: 1, maxQueue: 10, taskTimeoutMs: 20_000, metrics }
  const offload = createOffload(counting, defaults)
  t.teardown(() => offload.close())
  const short = chatBody({ messages: [{ role: 'user', content: 'Hi' }], metadata: { text: 'x'.repeat(12_000) } })
  t.ok((await offload.skim('openai-chat', short)).json)
  t.equal(skims, 1)
})

/** Resolves at a young collection that somebody asks V8 for. */
function forcedCollection(): Promise<void> {
  return new Promise((resolve) => {
    // An observer alone keeps no process alive.
    const keepAlive = setInterval(() => {}, 1000)
    const observer = new PerformanceObserver((list) => {
      const { NODE_PERFORMANCE_GC_MINOR: minor, NODE_PERFORMANCE_GC_FLAGS_FORCED: forced } = constants
      const collections = list.getEntries() as unknown as { detail: { kind: number; flags: number } }[]
      if (!collections.some(({ detail: { kind, flags } }) => kind === minor && flags === forced)) return
      observer.disconnect()
      clearInterval(keepAlive)
      resolve()
    })
    observer.observe({ entryTypes: ['gc'] })
  })
}

test('after 16 MB of bodies, whatever is done with them, young objects are collected', async (t) => {
  const { offload } = createRig({ minBytes: 100 * 1024 * 1024 })
  t.teardown(() => offload.close())
  const large = () => fakeBody('m', 'x'.repeat(1024 * 1024))
  const decoded = await offload.decode('fake-sse', large())
  const encoding = { ...decoded, surfaceId: 'fake-sse', prompt: null, upstreamStream: false }
  let { body } = decoded
  const encode = async (): Promise<void> => {
    const { original } = await offload.encode({ ...encoding, body, target: fakeTarget('fake-sse') })
    body = original
  }
  for (const [name, act] of [
    ['decode', () => offload.decode('fake-sse', large())],
    ['skim', () => offload.skim('fake-sse', large())],
    ['encode', encode],
  ] as const) {
    const collected = forcedCollection()
    for (let i = 0; i < 16; i++) await act()
    await collected
    t.pass(name)
  }
})
