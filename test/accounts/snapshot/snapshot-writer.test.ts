// When the snapshot is written: at once after a change, seldom after many, whole or not at all.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { firstLineOf, readSnapshot } from '../../../src/accounts/snapshot/snapshot-file.js'
import { SnapshotWriter } from '../../../src/accounts/snapshot/snapshot-writer.js'
import { mountSmallDisk, NO_SMALL_DISK } from '../../helpers/small-disk.js'

const PLACE = 'db.test/sluice'

function setUp(t: Test, base = tmpdir()) {
  const folder = mkdtempSync(join(base, 'sluice-snapshot-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'deep', 'accounts.snapshot')
  const state = { written: 0, lines: [] as string[], failures: [] as string[], nowMs: 1_764_547_200_000 }
  const writer = new SnapshotWriter({
    path,
    *lines() {
      state.written += 1
      yield firstLineOf(PLACE)
      yield* state.lines
    },
    nowMs: () => state.nowMs,
    onFailure: (reason) => void state.failures.push(reason),
  })
  return { folder, path, state, writer }
}

async function isThere(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5))
}

const keyLine = (n: number) => `["k",["key_${n}","app",null,[],[null,null,null],[],false,false,null],[]]\n`

test('a change is written at once, for the owner alone; a burst of them is one more file', async (t) => {
  const { folder, path, state, writer } = setUp(t)
  writer.note()
  await isThere(path)
  for (let i = 0; i < 1000; i++) {
    state.lines.push(keyLine(i))
    writer.note()
  }
  t.equal(state.written, 1)
  await writer.close()
  t.equal(state.written, 2, 'what was not written is written at the end')
  t.equal(readSnapshot(path, PLACE)?.listings.length, 1000)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.same(readdirSync(join(folder, 'deep')), ['accounts.snapshot'])
})

test('what changes after a pause is written without a further word', async (t) => {
  const { path, state, writer } = setUp(t)
  writer.note()
  await isThere(path)
  state.lines.push(keyLine(1))
  writer.note()
  while ((readSnapshot(path, PLACE)?.listings.length ?? 0) === 0)
    await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal(state.written, 2)
  await writer.close()
  t.equal(state.written, 2)
})

test('a file that has not changed is marked as confirmed, every ten seconds and at the end, and not written again', async (t) => {
  const { path, state, writer } = setUp(t)
  writer.note()
  const beganMs = state.nowMs
  await isThere(path)
  state.nowMs += 9000
  writer.seen()
  t.equal(readSnapshot(path, PLACE)?.seenAtMs, beganMs)
  state.nowMs += 1000
  const inode = statSync(path).ino
  while (readSnapshot(path, PLACE)?.seenAtMs === beganMs) {
    writer.seen()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  t.equal(readSnapshot(path, PLACE)?.seenAtMs, state.nowMs)
  state.nowMs += 500
  writer.seen()
  state.nowMs += 500
  await writer.close()
  t.equal(readSnapshot(path, PLACE)?.seenAtMs, state.nowMs - 500)
  t.equal(statSync(path).ino, inode)
  t.equal(state.written, 1)
})

test('what is written later than the database has confirmed it says when it did', async (t) => {
  const { path, state, writer } = setUp(t)
  writer.note()
  await isThere(path)
  const seenMs = state.nowMs
  state.lines.push(keyLine(1))
  writer.note()
  state.nowMs += 60_000
  await writer.close()
  t.match(readSnapshot(path, PLACE), { seenAtMs: seenMs, listings: [{}] })
  const before = readFileSync(path)
  const idle = new SnapshotWriter({ path, lines: () => [], nowMs: () => state.nowMs, onFailure: t.fail })
  await idle.close()
  t.same(readFileSync(path), before, 'one that was never told anything writes nothing')
})

test('one that cannot be written is told once, and the former one stays', async (t) => {
  const { path, state, writer } = setUp(t)
  writer.note()
  await writer.close()
  const before = readFileSync(path)
  // Where the draft would be there is a folder with something in it.
  mkdirSync(`${path}.${process.pid}.new`)
  writeFileSync(join(`${path}.${process.pid}.new`, 'x'), '')
  for (let i = 0; i < 3; i++) {
    writer.note()
    await writer.close()
  }
  t.equal(state.failures.length, 1)
  t.same(readFileSync(path), before)
})

test('a full disk leaves the former snapshot, and nothing else', async (t) => {
  const disk = mountSmallDisk(1)
  if (disk === null) return t.comment(NO_SMALL_DISK)
  const { folder, path, state, writer } = setUp(t, disk)
  writer.note()
  await writer.close()
  for (let i = 0; i < 40_000; i++) state.lines.push(keyLine(i))
  writer.note()
  await writer.close()
  t.match(state.failures, [/ENOSPC/])
  t.same(readSnapshot(path, PLACE)?.listings, [])
  t.same(readdirSync(join(folder, 'deep')), ['accounts.snapshot'])
  return undefined
})
