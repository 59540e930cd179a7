// The embedded store of answers as event loops see it: over ports, on a file that survives its process.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, t as tap, test } from 'tap'
import { PortStore } from '../../../src/responses/port/port-store.js'
import { startResponsesFile } from '../../../src/responses/sqlite/start.js'
import { rejectsWith } from '../../helpers/rejects.js'
import { type OpenResponseStore, responseStoreSuite, sweepingSuite } from '../../helpers/response-store-suite.js'
import { CAPS, changeOf, runningResponse, storedResponse } from '../../helpers/responses.js'

// The ports keep no process alive, but the tests wait for them.
const awake = setInterval(() => undefined, 1000)
tap.teardown(() => clearInterval(awake))

function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-responses-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function openFile(t: Test, path = join(directory(t), 'responses.db')) {
  const offset = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)
  const troubles: string[] = []
  const thread = await startResponsesFile({ path, clockOffset: offset, onTrouble: (text) => troubles.push(text) })
  const store = new PortStore(async () => thread.connect())
  let isClosed = false
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    await store.close()
    await thread.close()
  }
  t.teardown(close)
  const shift = new Float64Array(offset)
  return { path, store, thread, troubles, close, shift }
}

const openRig: OpenResponseStore = async (t) => {
  const { store, shift } = await openFile(t)
  const moveBy = (ms: number): void => {
    shift[0] = (shift[0] ?? 0) + ms
  }
  return { store, moveBy, nowMs: () => Date.now() + (shift[0] ?? 0) }
}

responseStoreSuite('sqlite', openRig)
sweepingSuite('sqlite', openRig)

const NEVER_MS = Date.now() + 3_600_000

test('answers survive their process; what ran in it is lost, what waits is not', async (t) => {
  const first = await openFile(t)
  const { path } = first
  await first.store.put(storedResponse('over', { expiresAtMs: NEVER_MS }), CAPS)
  await first.store.put(runningResponse('ran', { expiresAtMs: NEVER_MS }), CAPS)
  await first.store.put(storedResponse('waits', { phase: 'waiting', expiresAtMs: NEVER_MS }), CAPS)
  await first.close()
  t.equal(statSync(path).mode & 0o777, 0o600)
  const { store } = await openFile(t, path)
  t.match(await store.get('a', 'over'), { phase: 'over' })
  t.match(await store.get('a', 'ran'), { phase: 'lost' })
  t.match(await store.get('a', 'waits'), { phase: 'waiting' })
  t.equal(await store.advance(changeOf(runningResponse('ran', { expiresAtMs: NEVER_MS })), CAPS), true)
  t.match(await store.get('a', 'ran'), { phase: 'running' }, 'a run that is repeated goes on')
})

test('event loops share the file, and what was acknowledged to one is there for the others', async (t) => {
  const { store, thread } = await openFile(t)
  const others = [1, 2].map(() => new PortStore(async () => thread.connect()))
  await Promise.all(others.map((other, i) => other.put(storedResponse(`r${i}`, { expiresAtMs: NEVER_MS }), CAPS)))
  for (const each of [store, ...others]) for (const id of ['r0', 'r1']) t.match(await each.get('a', id), { id })
  for (const other of others) await other.close()
})

test('a file in use, or that is none of ours, is an error that names it', async (t) => {
  const { path } = await openFile(t)
  const onTrouble = (): void => undefined
  await rejectsWith(t, startResponsesFile({ path, onTrouble }), {
    data: { code: 'misconfigured' },
    message: `The response store ${path} is in use by another process. The file was left unchanged.`,
  })
})

test('one that is refused does not hold up those that are committed with it', async (t) => {
  const { store, troubles } = await openFile(t)
  await store.put(runningResponse('r1', { expiresAtMs: NEVER_MS }), CAPS)
  const caps = { maxBytes: 1000, maxBytesPerKey: 1000 }
  const large = store.advance(changeOf(storedResponse('r1', { response: new Uint8Array(2000) })), caps)
  const others = Array.from({ length: 20 }, (_, i) =>
    store.put(storedResponse(`s${i}`, { owner: 'b', expiresAtMs: NEVER_MS }), CAPS),
  )
  await rejectsWith(t, large, { data: { code: 'storage_full' } })
  await Promise.all(others)
  t.match(await store.get('b', 's19'), { id: 's19' })
  t.same(troubles, [], 'it is no trouble of the file')
})
