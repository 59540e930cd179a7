// How long a thread waited for a processor: read of the real thread where the system tells, and nothing elsewhere.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { openRunQueue, parseWaitedMs } from '../../../src/telemetry/metrics/run-queue.js'

test('the second number is the time waited, in nanoseconds', (t) => {
  t.equal(parseWaitedMs('123 4500000 6\n'), 4.5)
  t.equal(parseWaitedMs('0 0 0\n'), 0)
  t.equal(parseWaitedMs(''), 0)
  t.equal(parseWaitedMs('a b c'), 0)
  t.end()
})

test('a line is read anew each time, through one descriptor', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'schedstat')
  writeFileSync(path, '1 2000000 3\n')
  const runQueue = openRunQueue(path)
  t.equal(runQueue.waitedMs(), 2)
  writeFileSync(path, '1 7000000 4\n')
  t.equal(runQueue.waitedMs(), 7)
  runQueue.close()
  runQueue.close()
  t.equal(runQueue.waitedMs(), 0)
  t.end()
})

test('a file that opens but cannot be read counts as no waiting time', (t) => {
  const runQueue = openRunQueue(tmpdir())
  t.equal(runQueue.waitedMs(), 0)
  t.equal(runQueue.waitedMs(), 0)
  runQueue.close()
  t.end()
})

test('a system without that figure counts no time as waited', (t) => {
  const runQueue = openRunQueue('/nowhere/schedstat')
  t.equal(runQueue.waitedMs(), 0)
  runQueue.close()
  t.end()
})

test('on Linux reads the time of this thread, which only grows', { skip: process.platform !== 'linux' }, (t) => {
  const runQueue = openRunQueue()
  const first = runQueue.waitedMs()
  t.ok(first > 0, `${first} ms`)
  t.ok(runQueue.waitedMs() >= first)
  runQueue.close()
  t.end()
})
