// The log's way out: whole lines, none lost at exit, and no trouble with a pipe that broke or a disk that is full.
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, existsSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { type Readable, type Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { LineSink } from '../../../src/telemetry/log/line-sink.js'

const FULL_DEVICE = '/dev/full'

test('lines reach the file in order and soon, without anybody asking', async (t) => {
  const path = join(t.testdir(), 'log')
  const sink = new LineSink(openSync(path, 'a'))
  sink.write('one\n')
  sink.write('two\n')
  while (readFileSync(path, 'utf8') === '') await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal(readFileSync(path, 'utf8'), 'one\ntwo\n')
  await sink.close()
})

test('flush resolves when all lines of before are written, whatever their size', async (t) => {
  const path = join(t.testdir(), 'log')
  const sink = new LineSink(openSync(path, 'a'))
  const lines = Array.from({ length: 500 }, (_, i) => `${i} ${'é'.repeat(i * 7)}\n`)
  for (const line of lines) sink.write(line)
  await sink.flush()
  t.equal(readFileSync(path, 'utf8'), lines.join(''))
  await sink.flush()
  sink.write('last\n')
  await sink.close()
  t.match(readFileSync(path, 'utf8'), /last\n$/)
})

test('what is left is written synchronously when there is no more time', async (t) => {
  const path = join(t.testdir(), 'log')
  const sink = new LineSink(openSync(path, 'a'))
  sink.write('the end\n')
  sink.flushSync()
  t.equal(readFileSync(path, 'utf8'), 'the end\n')
  await sink.close()
})

test('a stalled reader costs lines, not memory, and the loss is reported afterwards', async (t) => {
  const path = join(t.testdir(), 'log')
  const lost: number[] = []
  const sink = new LineSink(openSync(path, 'a'), { onDropped: (lines) => lost.push(lines) })
  const line = `${'x'.repeat(1023)}\n`
  for (let i = 0; i < 10_000; i++) sink.write(line)
  await sink.flush()
  const written = readFileSync(path, 'utf8').length / line.length
  t.ok(written >= 8 * 1024 && written < 8 * 1024 + 96, String(written))
  t.same(lost, [10_000 - written])
  await sink.close()
})

test('a full disk loses lines and nothing else', { skip: !existsSync(FULL_DEVICE) }, async (t) => {
  const sink = new LineSink(openSync(FULL_DEVICE, 'a'))
  for (let i = 0; i < 3; i++) {
    sink.write('nowhere to go\n')
    await sink.flush()
  }
  sink.write('nor at the end\n')
  sink.flushSync()
  await sink.close()
  t.pass('no error came out')
})

test('a descriptor that was closed breaks the sink for good, quietly', async (t) => {
  const fd = openSync(join(t.testdir(), 'log'), 'a')
  const sink = new LineSink(fd)
  closeSync(fd)
  sink.write('too late\n')
  await sink.flush()
  sink.write('ignored\n')
  await sink.flush()
  await sink.close()
  t.pass('no error came out')
})

const LINES = Array.from({ length: 300 }, (_, i) => `${i} ${'x'.repeat(1000)}\n`)

/** A pipe that takes 64 KB and then says EAGAIN, as a stdout does whose other end is slow. */
function createFullPipe(dir: string): { sink: LineSink; read: () => string } {
  const path = join(dir, 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const sink = new LineSink(fd)
  for (const line of LINES) sink.write(line)
  const chunk = Buffer.alloc(65_536)
  const read = (): string => {
    try {
      return chunk.toString('utf8', 0, readSync(fd, chunk))
    } catch {
      return ''
    }
  }
  return { sink, read }
}

test('a full pipe is tried again until its reader comes back', async (t) => {
  const { sink, read } = createFullPipe(t.testdir())
  let isFlushed = false
  const flushed = sink.flush().then(() => {
    isFlushed = true
  })
  let received = ''
  while (!isFlushed) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    received += read()
  }
  await flushed
  for (let rest = read(); rest !== ''; rest = read()) received += rest
  t.equal(received, LINES.join(''))
  await sink.close()
})

test('at exit a full pipe is waited for only a moment, and what it took is in order', async (t) => {
  const { sink, read } = createFullPipe(t.testdir())
  // No write is under way any more: the sink has found the pipe full and waits to try again.
  while (process.getActiveResourcesInfo().includes('FSReqCallback')) await new Promise(setImmediate)
  let received = read()
  const start = performance.now()
  sink.flushSync()
  t.ok(performance.now() - start < 30_000, 'its reader would never come')
  for (let rest = read(); rest !== ''; rest = read()) received += rest
  t.ok(received.length > 65_536)
  t.ok(LINES.join('').startsWith(received))
  await sink.close()
})

type LogChild = ChildProcessByStdio<Writable, Readable, Readable>

function startChild(task: string): LogChild {
  const path = fileURLToPath(new URL('../../helpers/log-child.js', import.meta.url))
  return spawn(process.execPath, [path, task], { stdio: ['pipe', 'pipe', 'pipe'] })
}

/** Lets the child go and reads all it says. */
async function run(child: LogChild): Promise<{ lines: string[]; errors: string; code: unknown }> {
  const exit = once(child, 'exit')
  child.stdin.write('go\n')
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exit])
  return { lines: output.split('\n').slice(0, -1), errors, code }
}

test('all lines arrive, whole, when the process exits right after logging them', async (t) => {
  const { lines, errors, code } = await run(startChild('exit'))
  t.equal(errors, '')
  t.equal(code, 0)
  // Lines of one write that is under way at exit may come after the others; none is missing or cut.
  t.same(new Set(lines.map((line) => JSON.parse(line).id)).size, 2000)
})

test('the log alone does not keep a process alive, and its last line is written', async (t) => {
  const { lines, code } = await run(startChild('end'))
  t.equal(code, 0)
  t.match(lines, [/the end/])
})

test('threads that log to one pipe never mix their lines', async (t) => {
  const { lines, errors } = await run(startChild('threads'))
  t.equal(errors, '')
  t.equal(new Set(lines.map((line) => JSON.parse(line).id)).size, 6000)
})

test('a reader that is slow gets all lines in the end, also those of the exit', async (t) => {
  const child = startChild('flush')
  child.stdout.pause()
  child.stdin.write('go\n')
  // The child says so when more is logged than the pipe takes.
  await once(child.stderr, 'data')
  const { lines, code } = await run(child)
  t.equal(code, 0)
  t.equal(new Set(lines.map((line) => JSON.parse(line).id)).size, 2000)
})

for (const task of ['broken', 'broken-exit']) {
  test(`a process whose stdout nobody reads any more goes on and exits as it likes (${task})`, async (t) => {
    const child = startChild(task)
    child.stdout.destroy()
    const exit = once(child, 'exit')
    child.stdin.write('go\n')
    const [errors, [code]] = await Promise.all([text(child.stderr), exit])
    t.equal(errors, '')
    t.equal(code, 7)
  })
}
