// Law 6 over every recorded request, stream and answer, through the pool and the worker file that ship: a worker gives what
// the same task gives on this thread, failures included. breaches.test.ts sees it fail.
import { test } from 'tap'
import { type GatewayError } from '../../src/errors.js'
import { createOffload, type Offload } from '../../src/offload/offload.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { fakeTarget } from '../helpers/fake-protocol.js'
import { findUnlike } from '../helpers/offload-law.js'
import { DIALECTS, FALLBACK, minRequests, readFixtures, SURFACES, targetFor } from '../helpers/protocol-fixtures.js'

const metrics = { offloadTask: () => undefined, offloadQueue: () => undefined }
const options = { workers: 1, maxQueue: 1000, taskTimeoutMs: 30_000, metrics }
const codec = createCodec(PROTOCOLS)
const inline = createOffload(codec, { ...options, minBytes: Number.POSITIVE_INFINITY })
const worker = createOffload(codec, { ...options, minBytes: 0 })

test('6. a worker decodes and encodes every request as this thread does', async (t) => {
  for (const surface of SURFACES) {
    const requests = readFixtures(surface.id, 'requests')
    t.ok(requests.length >= minRequests(surface), surface.id)
    for (const { name, bytes } of requests) {
      const decode = (offload: Offload) => offload.decode(surface.id, new Uint8Array(bytes))
      t.same(await findUnlike(`${surface.id} ${name}`, decode, worker, inline), [])
      for (const dialect of DIALECTS) {
        const { facts, members } = await decode(inline)
        const encode = (offload: Offload, upstreamStream: boolean) =>
          offload.encode({
            surfaceId: surface.id,
            body: new Uint8Array(bytes),
            json: null,
            head: null,
            facts,
            members,
            target: fakeTarget(dialect.id),
            prompt: facts.prompt === null ? null : 'Be brief.',
            upstreamStream,
          })
        for (const stream of [false, true]) {
          const run = (offload: Offload) => encode(offload, stream)
          t.same(await findUnlike(`${surface.id} ${name} to ${dialect.id}`, run, worker, inline), [])
        }
      }
    }
  }
})

/** Large enough to be skimmed: the same with a long turn in front. */
function enlarged(bytes: Buffer): Uint8Array<ArrayBuffer> | null {
  const json = JSON.parse(bytes.toString()) as { messages?: unknown }
  if (!Array.isArray(json.messages)) return null
  const turn = { role: 'user', content: 'const "text" = 1;\n\tétat '.repeat(3000) }
  return new Uint8Array(Buffer.from(JSON.stringify({ ...json, messages: [turn, ...(json.messages as unknown[])] })))
}

test('6. a worker skims every large request as this thread does', async (t) => {
  let skims = 0
  for (const surface of SURFACES) {
    for (const { name, bytes } of readFixtures(surface.id, 'requests')) {
      const body = enlarged(bytes)
      if (body === null) continue
      const skim = (offload: Offload) => offload.skim(surface.id, new Uint8Array(body))
      t.same(await findUnlike(`${surface.id} ${name}`, skim, worker, inline), [])
      const decoded = await Promise.resolve(skim(inline)).catch(() => null)
      if (decoded !== null && decoded.head !== null) skims += 1
    }
  }
  t.ok(skims > 20, `${skims} skimmed`)
})

test('6. a worker aggregates and transcodes every answer as this thread does', async (t) => {
  for (const surface of SURFACES) {
    for (const dialect of DIALECTS) {
      const task = { surfaceId: surface.id, fallback: FALLBACK }
      for (const { name, bytes } of readFixtures(dialect.id, 'streams')) {
        const run = (offload: Offload) =>
          offload.aggregate({ ...task, target: targetFor(dialect, bytes), body: new Uint8Array(bytes) })
        t.same(await findUnlike(`${name} to ${surface.id}`, run, worker, inline), [])
      }
      for (const { name, bytes } of readFixtures(dialect.id, 'responses')) {
        const run = (offload: Offload) =>
          offload.transcode({ ...task, target: fakeTarget(dialect.id), body: new Uint8Array(bytes) })
        t.same(await findUnlike(`${name} to ${surface.id}`, run, worker, inline), [])
      }
    }
  }
})

test('6. the worker file that ships takes tasks', async (t) => {
  const failing = Promise.resolve(worker.decode('no-such-surface', new Uint8Array(2)))
  await failing.then(
    () => t.fail('it took a surface that does not exist'),
    (thrown: GatewayError) => t.equal(thrown.data.code, 'internal'),
  )
})

test('ends its workers', async () => {
  await worker.close()
})
