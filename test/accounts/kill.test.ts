// A process that changes keys is killed with SIGKILL at random moments, over and over on one file: every change that it was told of
// is there, and none is there in part.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'libsql'
import { test } from 'tap'
import { newDirectory, pause, startScript } from '../helpers/job-children.js'

const CHILD = fileURLToPath(new URL('../helpers/accounts-child.js', import.meta.url))
const ROUNDS = Number(process.env.SOAK_ROUNDS ?? 6)
/** After its first key, so that start-up takes none of it. */
const LONGEST_LIFE_MS = 120

type Row = { readonly name: string; readonly digest: string }

test(`killed ${ROUNDS} times at random, no change is lost or half made`, {
  timeout: 30_000 + ROUNDS * 5000,
}, async (t) => {
  const path = join(newDirectory(t), 'accounts.db')
  const file = `${path}.said`
  for (let round = 0; round < ROUNDS; round++) {
    const child = startScript(t, CHILD, path, file, `${round}`, 'change')
    await child.signs()
    await pause(Math.random() * LONGEST_LIFE_MS)
    child.process.kill('SIGKILL')
    await child.ended
  }
  t.same(await startScript(t, CHILD, path, file, 'last', 'check').ended, [0, null])
  const said = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
  t.same(
    said.filter(([word]) => word === 'trouble'),
    [],
  )
  const db = new Database(path)
  const rows = db.prepare('SELECT name, digest FROM keys JOIN secrets ON key_id = keys.id').all() as Row[]
  const keys = new Map(rows.map(({ name, digest }) => [name, digest]))
  t.equal(keys.size, rows.length, 'each key has one secret')
  t.same(db.prepare('SELECT key_count AS n FROM state').all(), db.prepare('SELECT count(*) AS n FROM keys').all())
  t.same(db.prepare('SELECT count(*) AS n FROM secrets WHERE key_id NOT IN (SELECT id FROM keys)').all(), [{ n: 0 }])
  const last = new Map<string, readonly string[]>()
  for (const line of said) if (line[1] !== undefined) last.set(line[1], line)
  let told = 0
  for (const [name, [word, , digest]] of last) {
    if (word === 'created') t.ok(keys.has(name), `${name} is there, rotated or not`)
    if (word === 'rotated') t.equal(keys.get(name), digest, name)
    if (word === 'deleted') t.notOk(keys.has(name), name)
    if (word !== 'asked') told += 1
  }
  db.close()
  t.ok(told > ROUNDS * 4, `${told} changes`)
})
