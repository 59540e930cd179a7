// A process that changes keys until it is killed, and writes into a file what it was told: a line for each answer, `asked` before a call
// that may be broken off. Run with: DATABASE (a path), FILE, ROUND, MODE: `change`, or `check`, which reads what there is and leaves.
import { openSync, writeSync } from 'node:fs'
import { connectAccounts, startAccounts } from '../../src/accounts/client.js'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { digestOf } from '../../src/accounts/secret.js'
import { type AccountsStore } from '../../src/accounts/store.js'
import { newKey } from './accounts-rig.js'

const [path = '', file = '', round = '', mode = ''] = process.argv.slice(2)
const WRITERS = 4
const ANY = { by: 'child', ifVersion: null }

// Synchronously, and to a file: what was said before the kill must be there.
const record = openSync(file, 'a')
const say = (line: string): void => {
  writeSync(record, `${line}\n`)
}

const thread = await startAccounts({
  ...{
    database: { store: 'sqlite', path },
    directory: createDirectoryMemory(100_000),
    fileKeys: [],
    clockOffset: null,
  },
  onTrouble: (message) => say(`trouble ${message}`),
})
const store: AccountsStore = connectAccounts(thread.connect())

/** One name after the other: created, rotated, and every other one deleted. */
async function change(writer: number): Promise<void> {
  for (let i = 0; ; i++) {
    const name = `k${round}-${writer}-${i}`
    say(`asked ${name}`)
    const { secret } = await store.createKey(newKey(name), ANY)
    say(`created ${name} ${digestOf(secret ?? '')}`)
    if (i === 0) process.stdout.write('.')
    const rotated = await store.rotateKey(name, { overlapMs: 0 }, ANY)
    say(`rotated ${name} ${digestOf(rotated.secret)}`)
    if (i % 2 === 0) continue
    say(`asked ${name}`)
    await store.deleteKey(name, ANY)
    say(`deleted ${name}`)
  }
}

async function check(): Promise<void> {
  let after: string | null = null
  do {
    const page: Awaited<ReturnType<AccountsStore['listKeys']>> = await store.listKeys({ after, limit: 1000 })
    after = page.next
  } while (after !== null)
  await thread.close()
}

if (mode === 'change') await Promise.all(Array.from({ length: WRITERS }, (_, i) => change(i)))
else await check()
