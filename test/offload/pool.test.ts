// Workers that die, hang or drown: each fails its own tasks, and the pool goes on.
import { once } from 'node:events'
import { type Test, test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { collectYoung } from '../../src/offload/body-garbage.js'
import { type OffloadOptions } from '../../src/offload/offload.js'
import { fakeTarget } from '../helpers/fake-protocol.js'
import { createRig, fakeBody, type OffloadRig } from '../helpers/offload.js'
import { rejectionOf } from '../helpers/thrown.js'

/** Tasks that one worker has at a time. */
const IN_ONE_HAND = 16
/** Well over a few task timeouts, and far below any other limit that could end a task. */
const LATE_MS = 60_000

function rig(t: Test, options: Partial<OffloadOptions> = {}): OffloadRig {
  const made = createRig(options)
  t.teardown(() => made.offload.close())
  return made
}

const decode = ({ offload }: OffloadRig, model = 'm') => Promise.resolve(offload.decode('fake-sse', fakeBody(model)))

/** A task that succeeds. While a worker starts, which takes long on a busy machine, tasks may run into a short time limit. */
async function succeed(one: OffloadRig): Promise<string> {
  for (;;) {
    try {
      return (await decode(one)).facts.model
    } catch (error) {
      if (!(error instanceof GatewayError) || !error.message.includes('took too long')) throw error
    }
  }
}

/** A worker that takes another's place: the process tells of every new thread. */
const nextWorker = () => once(process, 'worker')

for (const fault of ['exit', 'throw', 'oom']) {
  test(`fails only its own task with overloaded on ${fault}, and goes on`, async (t) => {
    const one = rig(t, { workers: 1, maxWorkerHeapMb: 32 })
    const error = await rejectionOf(decode(one, `!${fault}`))
    t.equal(error.code, 'overloaded')
    t.equal(error.status, 503)
    t.ok(error.retryAfterMs)
    t.equal((await decode(one)).facts.model, 'm')
  })
}

test('leaves the tasks of other workers alone when one dies', async (t) => {
  const two = rig(t, { workers: 2 })
  await Promise.all([decode(two), decode(two)])
  const fatal = rejectionOf(decode(two, '!exit'))
  // The balancer gives the second task to the idle worker.
  t.equal((await decode(two, '!slow')).facts.model, '!slow')
  t.equal((await fatal).code, 'overloaded')
})

test('under a hundred tasks a worker that dies fails those in its hands alone, and the pool is whole again', async (t) => {
  const two = rig(t, { workers: 2 })
  await Promise.all([decode(two), decode(two)])
  const before = Array.from({ length: 50 }, () => decode(two))
  const fatal = rejectionOf(decode(two, '!exit'))
  const after = Array.from({ length: 50 }, () => decode(two))
  const fates = await Promise.allSettled([...before, ...after])
  t.equal((await fatal).code, 'overloaded')
  const failed = fates.flatMap((fate) => (fate.status === 'rejected' ? [fate.reason as GatewayError] : []))
  t.ok(failed.length <= IN_ONE_HAND, `${failed.length} failed`)
  t.same(
    failed.filter(({ data }) => data.code !== 'overloaded'),
    [],
  )
  for (let i = 0; i < 20; i++) t.equal(await succeed(two), 'm')
})

test('survives a worker that dies with no task in hand', async (t) => {
  const one = rig(t, { workers: 1 })
  t.ok(await decode(one, '!late'))
  let healthy = 0
  for (let i = 0; i < 20 && healthy === 0; i++) {
    healthy = await decode(one).then(
      () => 1,
      () => 0,
    )
  }
  t.equal(healthy, 1)
})

test('replaces a worker that hangs, and fails its tasks by the task timeout', async (t) => {
  const one = rig(t, { workers: 1, taskTimeoutMs: 500 })
  await succeed(one)
  const replaced = nextWorker()
  const startedMs = performance.now()
  const fates = await Promise.all([
    rejectionOf(decode(one, '!loop')),
    rejectionOf(decode(one)),
    rejectionOf(decode(one)),
  ])
  t.same(
    fates.map((error) => error.code),
    ['overloaded', 'overloaded', 'overloaded'],
  )
  t.ok(performance.now() - startedMs < LATE_MS, 'by the timeout, not later')
  await replaced
  t.equal(await succeed(one), 'm', 'the next task finds a new worker')
})

test('ends a worker that began to hang late, although no later task complains', async (t) => {
  const one = rig(t, { workers: 1, taskTimeoutMs: 1500 })
  await succeed(one)
  const slow = Array.from({ length: 4 }, () => decode(one, '!slow'))
  const hanging = rejectionOf(decode(one, '!loop'))
  t.equal((await Promise.all(slow)).length, 4)
  const replaced = nextWorker()
  t.equal((await hanging).code, 'overloaded')
  await replaced
  t.equal(await succeed(one), 'm')
})

test("refuses at once what goes beyond the workers' hands and the queue", async (t) => {
  const one = rig(t, { workers: 1, maxQueue: 3 })
  const accepted = Array.from({ length: 19 }, () => decode(one))
  const refused = await rejectionOf(decode(one))
  t.equal(refused.code, 'overloaded')
  t.match(refused.message, 'full queue')
  t.equal((await Promise.all(accepted)).length, 19)
  t.equal(Math.max(...one.queue), 3)
  t.equal(one.queue.at(-1), 0)
  t.ok(await decode(one), 'and takes more when the queue has drained')
})

test('refuses new requests while the bodies of others have the memory there is for them, and nothing that has begun', async (t) => {
  const body = fakeBody('m', 'x'.repeat(1000))
  const one = rig(t, { workers: 1, maxDecodingBytes: 3 * body.byteLength - 1 })
  const again = () => Promise.resolve(one.offload.decode('fake-sse', new Uint8Array(body)))
  const { body: original, ...decoded } = await again()
  const accepted = [again(), again(), again()]
  const refused = await rejectionOf(again())
  t.equal(refused.code, 'overloaded')
  t.match(refused.message, 'full queue')
  const { facts, json, members } = decoded
  const begun = one.offload.encode({
    ...{
      surfaceId: 'fake-sse',
      body: original,
      json,
      head: null,
      facts,
      members,
      target: fakeTarget('fake-sse'),
      prompt: null,
      upstreamStream: true,
    },
  })
  t.equal((await Promise.all(accepted)).length, 3)
  t.ok((await begun).body.length > 0)
  t.ok(await again(), 'and takes more when they have been decoded')
})

test('one body of any size is taken where no other is being decoded', async (t) => {
  const one = rig(t, { workers: 1, maxDecodingBytes: 1 })
  await decode(one)
  const slow = decode(one, '!slow')
  t.equal((await rejectionOf(decode(one))).code, 'overloaded')
  await slow
  t.ok(await decode(one))
})

test('fails tasks still running when it is closed, and takes no more', async (t) => {
  const one = createRig({ workers: 1 })
  await decode(one)
  const running = rejectionOf(decode(one, '!loop'))
  await one.offload.close()
  t.equal((await running).code, 'overloaded')
  t.equal((await rejectionOf(decode(one))).code, 'overloaded')
})

test('answers overloaded when the entry file cannot be loaded', async (t) => {
  const one = rig(t, { workers: 1, taskTimeoutMs: 300, workerUrl: new URL('file:///nowhere/at/all.js') })
  t.equal((await rejectionOf(decode(one))).code, 'overloaded')
  t.equal((await rejectionOf(decode(one))).code, 'overloaded')
})

test('bodies that came back are freed by young collections, without waiting for a full one', async (t) => {
  const one = rig(t, { workers: 1 })
  const bytes = 256 * 1024
  const ask = async () => void (await one.offload.decode('fake-sse', fakeBody('m', 'x'.repeat(bytes))))
  // Eight at a time, as the table of tasks keeps those that are done when it grows; and nothing of them is on the stack.
  const askSome = async (rounds: number) => {
    for (let i = 0; i < rounds; i++) {
      await Promise.all(Array.from({ length: 8 }, ask))
      await new Promise((resolve) => setImmediate(resolve))
      collectYoung()
    }
    // Waits for the sweeping that the last one has begun.
    collectYoung()
    return process.memoryUsage().external
  }
  const before = await askSome(5)
  const grown = (await askSome(25)) - before
  t.ok(grown < 20 * bytes, `${grown} bytes of 200 bodies of ${bytes}`)
})
