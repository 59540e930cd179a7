// The rule of where work is done, and that both ways give the same.
import { test } from 'tap'
import { fakeTarget } from '../helpers/fake-protocol.js'
import { createRig, fakeBody } from '../helpers/offload.js'
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
