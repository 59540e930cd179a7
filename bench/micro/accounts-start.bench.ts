// How long does a gateway with 100,000 keys wait for its account database? The file is opened and checked, every key read and written to
// the directory; and how many changes a second does the thread take, one after the other and 64 at once.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { connectAccounts, startAccounts } from '../../src/accounts/client.js'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { digestOf } from '../../src/accounts/secret.js'
import { type AccountsStore } from '../../src/accounts/store.js'

const KEYS = 100_000
const TEAMS = 100
const STARTS = 5
const CHANGES = 1000
const AT_ONCE = 64

/** A process of its own fills the file: libsql holds it until its thread ends. */
const [, script = '', filled] = process.argv
const folder = filled === undefined ? mkdtempSync(join(tmpdir(), 'sluice-bench-')) : null
const path = filled ?? join(folder ?? '', 'accounts.db')

function start() {
  const onTrouble = (message: string): never => {
    throw new Error(message)
  }
  const directory = createDirectoryMemory(KEYS + 2 * CHANGES)
  return startAccounts({ database: { store: 'sqlite', path }, directory, fileKeys: [], clockOffset: null, onTrouble })
}

/** As many keys as calls would make in minutes. */
function fill(): void {
  const db = new Database(path)
  const team = db.prepare("INSERT INTO teams VALUES (?, ?, '[\"*\"]', '{}', NULL, NULL, NULL, 0, 0, 1)")
  const key = db.prepare(
    `INSERT INTO keys VALUES (?, ?, ?, '["gpt-*","claude-*"]', '["eu"]', '{"owner":"somebody"}', 600, NULL, 8, 0, 0, 0, NULL, NULL, 1)`,
  )
  const secret = db.prepare("INSERT INTO secrets VALUES (?, ?, 'abcd', 0, NULL)")
  db.exec('BEGIN')
  for (let i = 0; i < TEAMS; i++) team.run(`team_${i}`, `team-${i}`)
  for (let i = 0; i < KEYS; i++) {
    key.run(`key_${i}`, `key-${i}`, `team_${i % TEAMS}`)
    secret.run(digestOf(`secret-${i}`), `key_${i}`)
  }
  db.exec(`UPDATE state SET revision = 1, key_count = ${KEYS}; COMMIT`)
  db.close()
}

async function changesPerSecond(store: AccountsStore, atOnce: number): Promise<number> {
  let made = 0
  const beganMs = performance.now()
  const change = async (): Promise<void> => {
    while (made < CHANGES) {
      made += 1
      await store.updateKey(`key-${made}`, { tags: [`${made}`] }, { by: 'bench', ifVersion: null })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, change))
  return (made * 1000) / (performance.now() - beganMs)
}

async function measure(): Promise<string> {
  await (await start()).close()
  execFileSync(process.execPath, [script, path])
  const startsMs: number[] = []
  const cpuMs: number[] = []
  for (let i = 0; i < STARTS; i++) {
    const beganMs = performance.now()
    const before = process.cpuUsage()
    const thread = await start()
    const { user, system } = process.cpuUsage(before)
    startsMs.push(performance.now() - beganMs)
    cpuMs.push((user + system) / 1000)
    await thread.close()
  }
  const thread = await start()
  const store = connectAccounts(thread.connect())
  const single = await changesPerSecond(store, 1)
  const many = await changesPerSecond(store, AT_ONCE)
  await thread.close()
  return [
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`,
    `start with ${KEYS} keys: ${spreadOf(startsMs)} ms, ${spreadOf(cpuMs)} ms of processor time`,
    `changes a second: ${single.toFixed(0)} one by one, ${many.toFixed(0)} with ${AT_ONCE} at once`,
  ].join('\n')
}

function spreadOf(values: number[]): string {
  const [least, , median, , most] = values.sort((a, b) => a - b).map((ms) => ms.toFixed(0))
  return `${median} (${least} .. ${most})`
}

if (folder === null) fill()
else {
  process.stdout.write(`${await measure()}\n`)
  rmSync(folder, { recursive: true })
}
