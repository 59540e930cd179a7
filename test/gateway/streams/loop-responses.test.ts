import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { t as tap, test } from 'tap'
import { LoopResponses } from '../../../src/gateway/streams/loop-responses.js'
import { load } from '../../config/sources.js'
import { rejectsWith } from '../../helpers/rejects.js'
import { storedResponse, TEXTS } from '../../helpers/responses.js'

// The ports keep no process alive, but the tests wait for them.
const awake = setInterval(() => undefined, 1000)
tap.teardown(() => clearInterval(awake))

const { expiresAtMs: _, items: __, ...NEW } = storedResponse('r1')

function create(
  loopIndex: number,
  options: object = {},
  connectHolder = async (): Promise<MessagePort | null> => null,
) {
  const { config } = load(JSON.stringify(options))
  const lines: (readonly [object, string])[] = []
  const log = { warn: (fields: object, message: string) => void lines.push([fields, message]) }
  const metrics = { redisState: () => undefined, redisCall: () => undefined }
  const all = new LoopResponses({ metrics, config, loopIndex, connectHolder, texts: TEXTS, after: () => undefined })
  return { all, responses: all.of(config.responses, log as never), lines }
}

test('by default answers are in memory, by the options of the configuration', async (t) => {
  const { all, responses, lines } = create(0, { responses: { maxBytesPerKey: 2000, retentionMs: 5000 } })
  const { desk, ids } = responses
  t.match(ids.create(), /^[\w-]{32}$/)
  const beforeMs = Date.now()
  t.equal(desk?.commit(NEW), null)
  const found = await desk?.get('a', 'r1')
  t.ok((found?.expiresAtMs ?? 0) >= beforeMs + 5000)
  t.match(await desk?.commit({ ...NEW, input: new Uint8Array(2000) }), { data: { code: 'storage_full' } })
  t.match(lines, [[{ response: 'r1' }, 'response not stored']])
  await all.close()
  t.equal(await desk?.get('a', 'r1'), null)
})

test('the other loops reach those of loop 0', async (t) => {
  const first = create(0)
  const second = create(1, {}, async () => {
    const { port1, port2 } = new MessageChannel()
    first.all.accept(port2)
    return port1
  })
  t.equal(await second.responses.desk?.commit(NEW), null)
  t.match(await first.responses.desk?.get('a', 'r1'), { id: 'r1' })
  await second.all.close()
})

test('a file is opened by loop 0 before its first request, for all loops, until all are drained', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-loop-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const options = { responses: { store: 'sqlite', path: join(folder, 'responses.db') } }
  const first = create(0, options)
  t.match(await first.responses.desk?.commit(NEW), { data: { code: 'storage_unavailable' } }, 'not yet')
  const log = () => ({}) as never
  const again = create(0, options)
  await again.all.start(log)
  const second = create(1, options, async () => {
    const { port1, port2 } = new MessageChannel()
    again.all.accept(port2)
    return port1
  })
  await second.all.start(log)
  t.equal(await second.responses.desk?.commit(NEW), null)
  t.match(await again.responses.desk?.get('a', 'r1'), { id: 'r1' })
  await rejectsWith(t, create(0, options).all.start(log), { data: { code: 'misconfigured' } })
  await again.all.close()
  t.match(await second.responses.desk?.commit(NEW), { data: { code: 'storage_unavailable' } })
})

test('off is no store, and nothing is served', async (t) => {
  const { all, responses } = create(0, { responses: { store: 'off' } })
  t.equal(responses.desk, null)
  t.ok(responses.ids.create())
  const { port1, port2 } = new MessageChannel()
  all.accept(port2)
  t.equal(port2.listenerCount('message'), 0)
  port1.close()
  await all.close()
})
