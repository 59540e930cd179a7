// A log file that is rotated as logrotate does it, by renaming: no line is lost, doubled or cut.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { LogFile } from '../../../src/telemetry/log/log-file.js'

const WIDE = 'x'.repeat(5000)

/** Where Linux shows what this process has open. */
const OPEN_FILES = '/proc/self/fd'

/** What a descriptor leads to; empty for one that is gone, such as that of the listing itself. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function lineOf(count: number): string {
  return `${count} ${WIDE}\n`
}

/** The numbers of the lines, in order. */
function numbersIn(...paths: string[]): number[] {
  const text = paths.map((path) => readFileSync(path, 'utf8')).join('')
  return text.split('\n').flatMap((line) => (line === '' ? [] : [Number(line.replace(` ${WIDE}`, ''))]))
}

test('lines before the rename stay in the old file, those after the reopening go to the new one, none is lost', async (t) => {
  const path = join(t.testdir(), 'log')
  const rotated = [1, 2, 3].map((count) => `${path}.${count}`)
  const file = new LogFile(path)
  let count = 0
  for (const target of rotated) {
    for (let i = 0; i < 200; i++) file.write(lineOf(count++))
    renameSync(path, target)
    for (let i = 0; i < 200; i++) file.write(lineOf(count++))
    await file.reopen()
  }
  file.write(lineOf(count++))
  await file.flush()
  t.same(
    numbersIn(...rotated, path),
    Array.from({ length: count }, (_, i) => i),
  )
  t.ok(
    rotated.every((target) => numbersIn(target).length > 0),
    'each file has a part of them',
  )
  t.same(numbersIn(path).at(-1), count - 1)
  t.equal(statSync(path).mode & 0o137, 0, 'the owner writes it, the group may read it, nobody else')
})

test('a file that is left is closed', { skip: !existsSync(OPEN_FILES) }, async (t) => {
  const folder = t.testdir()
  const file = new LogFile(join(folder, 'log'))
  const openIn = (): number => {
    return readdirSync(OPEN_FILES).filter((fd) => linkOf(join(OPEN_FILES, fd)).startsWith(folder)).length
  }
  for (let i = 0; i < 5; i++) {
    file.write(lineOf(i))
    renameSync(join(folder, 'log'), join(folder, `log.${i}`))
    await file.reopen()
  }
  for (let tries = 0; tries < 100 && openIn() > 1; tries++) await setImmediate()
  t.equal(openIn(), 1)
})

test('a file that was moved or removed is noticed, one that was not is left alone', async (t) => {
  const path = join(t.testdir(), 'log')
  const file = new LogFile(path)
  file.write('one\n')
  await file.flush()
  await file.reopenIfMoved()
  file.write('two\n')
  await file.flush()
  t.equal(readFileSync(path, 'utf8'), 'one\ntwo\n')
  renameSync(path, `${path}.1`)
  await file.reopenIfMoved()
  file.write('three\n')
  await file.flush()
  t.equal(readFileSync(path, 'utf8'), 'three\n')
  unlinkSync(path)
  await file.reopenIfMoved()
  file.write('four\n')
  await file.flush()
  t.equal(readFileSync(path, 'utf8'), 'four\n')
})

test('keeps writing to the old file if the new one cannot be opened', async (t) => {
  const folder = join(t.testdir(), 'logs')
  mkdirSync(folder)
  const path = join(folder, 'log')
  const file = new LogFile(path)
  renameSync(folder, `${folder}.old`)
  mkdirSync(path, { recursive: true })
  await t.rejects(file.reopen(), { message: `log.file ${path} cannot be opened for writing (EISDIR).` })
  file.write('kept\n')
  await file.flush()
  t.equal(readFileSync(join(`${folder}.old`, 'log'), 'utf8'), 'kept\n')
  rmSync(folder, { recursive: true })
  await file.reopen()
  t.ok(existsSync(path), 'a folder that is gone is made anew')
})
