// A process that accepts and runs jobs is killed with SIGKILL at random moments, twenty times over on one file: every job
// that it said it had accepted comes to an end, and none is lost.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'

const CHILD = fileURLToPath(new URL('../helpers/job-child.js', import.meta.url))
const ROUNDS = Number(process.env.SOAK_ROUNDS ?? 20)
/** After its first accepted job, so that start-up takes none of it. */
const LONGEST_LIFE_MS = 120

function start(...args: string[]): { process: ChildProcess; ended: Promise<unknown> } {
  const process = spawn(globalThis.process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  return { process, ended: once(process, 'close') }
}

test(`killed ${ROUNDS} times at random, no accepted job is lost`, { timeout: 30_000 + ROUNDS * 2000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-kill-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'jobs.db')
  for (let round = 0; round < ROUNDS; round++) {
    const child = start(path, `${round}`)
    await once(child.process.stdout as NodeJS.ReadableStream, 'data')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_LIFE_MS))
    child.process.kill('SIGKILL')
    await child.ended
  }
  const last = start(path, 'last', 'finish')
  t.same(await last.ended, [0, null])
  const said = readFileSync(`${path}.said`, 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
  t.same(
    said.filter(([word]) => word === 'trouble'),
    [],
  )
  const accepted = said.flatMap(([word, id = '']) => (word === 'accepted' ? [id] : []))
  t.ok(accepted.length > ROUNDS * 4, `${accepted.length} accepted`)
  const ended = new Map(said.flatMap(([word, id = '', ...rest]) => (word === 'ended' ? [[id, rest] as const] : [])))
  const lost = accepted.filter((id) => !['completed', 'error'].includes(ended.get(id)?.[0] ?? 'lost'))
  t.same(lost, [])
  const states = [...ended.values()]
  t.ok(
    states.every(([, , webhook]) => webhook === 'due'),
    'and each has its webhook to send',
  )
  t.ok(
    states.some(([, attempts]) => Number(attempts) > 1),
    'what was broken off ran again, and its attempts tell',
  )
})
