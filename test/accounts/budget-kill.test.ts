// A process that spends is killed at any moment, again and again: what the database says is spent is what was settled, and what was
// held by reservations that never were. Never less, never twice.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { Random } from '../helpers/random.js'

const CHILD = fileURLToPath(new URL('../helpers/budget-child.js', import.meta.url))
const ROUNDS = 8
const MAX_MARKS = 40

/** Bounds of what one process has spent, from what it said; they differ only by what it was doing when it was killed. */
function boundsOf(said: string): { readonly least: number; readonly most: number; readonly settled: number } {
  type One = { held: number; amount: number | null; isTold: boolean; isWritten: boolean; isOpen: boolean }
  const all = new Map<string, One>()
  for (const line of said.split('\n')) {
    const [word = '', n = '', amount = ''] = line.split(' ')
    const one = all.get(n)
    if (word === 'ask')
      all.set(n, { held: Number(amount), amount: null, isTold: false, isWritten: false, isOpen: false })
    else if (word === 'open' && one !== undefined) one.isOpen = true
    else if (word === 'settle' && one !== undefined) one.amount = Number(amount)
    else if (word === 'settled' && one !== undefined) one.isTold = true
    else if (word === 'turn') for (const each of all.values()) each.isWritten ||= each.isTold
  }
  let [least, most, settled] = [0, 0, 0]
  for (const { held, amount, isTold, isWritten, isOpen } of all.values()) {
    if (isTold) settled += 1
    if (isWritten && amount !== null) {
      least += amount
      most += amount
    } else {
      least += isTold ? (amount ?? 0) : isOpen ? Math.min(held, amount ?? held) : 0
      most += Math.max(held, amount ?? 0)
    }
  }
  return { least, most, settled }
}

test('a process that is killed while it spends loses nothing and counts nothing twice', {
  timeout: 120_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-budget-kill-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'accounts.db')
  const random = Random.ofRun()
  t.comment(`SEED=${random.seed}`)
  const run = (file: string, mode: string) => {
    const args = [CHILD, path, file, String(Math.floor(random.below(2 ** 31))), mode]
    return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  }
  let before = 0
  let settled = 0
  for (let round = 0; round < ROUNDS; round++) {
    const file = join(folder, `said-${round}`)
    const child = run(file, 'spend')
    const marks = 1 + Math.floor(random.below(MAX_MARKS))
    let seen = 0
    child.stdout.on('data', (bytes: Buffer) => {
      seen += bytes.length
      if (seen >= marks) child.kill('SIGKILL')
    })
    await new Promise((resolve) => child.once('exit', resolve))
    t.ok(seen >= marks, 'it was killed, and did not fail')
    const bounds = boundsOf(readFileSync(file, 'utf8'))
    settled += bounds.settled
    const checker = run(join(folder, 'checked'), 'check')
    let said = ''
    checker.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString()
    })
    await new Promise((resolve) => checker.once('exit', resolve))
    const spent = Number(said) - before
    before = Number(said)
    t.ok(spent >= bounds.least && spent <= bounds.most, `${bounds.least} <= ${spent} <= ${bounds.most}`)
    t.same(readdirSync(`${path}.journal`), ['lock'], 'no journal is left')
  }
  t.ok(settled > ROUNDS * 5, `${settled} settlements`)
  t.notMatch(readFileSync(join(folder, 'checked'), 'utf8'), 'trouble')
})
