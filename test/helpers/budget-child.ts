// A process that reserves and settles until it is killed, and writes into a file what it did: `ask` before a call that may be broken off.
// Run with: DATABASE (a path), FILE, SEED, MODE: `spend`, or `check`, which starts, prints what is spent, and leaves.
//
//   ask N WANT | open N HELD | settle N AMOUNT | settled N | turn      turn: what was settled before is written down
import { randomUUID } from 'node:crypto'
import { openSync, writeSync } from 'node:fs'
import { LoopBudgets } from '../../src/accounts/budgets/desk.js'
import { Ledger } from '../../src/accounts/budgets/ledger.js'
import { type Reservation } from '../../src/accounts/budgets/types.js'
import { connectAccounts, startAccounts } from '../../src/accounts/client.js'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { matchesGlob } from '../../src/routing/glob.js'
import { Random } from './random.js'

const [path = '', file = '', seed = '', mode = ''] = process.argv.slice(2)
const LIMIT = 9_000_000_000_000_000
const MAX_WANT = 1000
const MAX_OPEN = 20
const STEPS_A_MARK = 20
/** Small, so that journals are followed by others. */
const MAX_JOURNAL_BYTES = 4096

const record = openSync(file, 'a')
const say = (line: string): void => {
  writeSync(record, `${line}\n`)
}
const directory = createDirectoryMemory(10)
const journal = `${path}.journal`
const thread = await startAccounts({
  ...{ database: { store: 'sqlite', path }, directory, journal, fileKeys: [], clockOffset: null },
  onTrouble: (message) => say(`trouble ${message}`),
})
const store = connectAccounts(thread.connect())
const terms = { name: 'all', scope: 'gateway', unit: 'usd', limit: LIMIT, per: 'total' } as const
const { budget } = await store.createBudget(terms, { by: 'child' })

/** Two event loops. */
function createLoop() {
  const ledger = new Ledger({
    ...{ folder: journal, createId: randomUUID, maxJournalBytes: MAX_JOURNAL_BYTES },
    store: (batches, gone) => store.addSpend(batches, gone),
  })
  const desk = new LoopBudgets({
    ...{ memory: directory.budgets, ledger, matchesGlob, nowMs: Date.now, account: () => null },
    counters: { budgetRefused: () => undefined, budgetDebt: () => undefined },
  })
  return { ledger, desk }
}

async function spend(): Promise<void> {
  const random = new Random(Number(seed))
  const loops = [createLoop(), createLoop()]
  const open = new Map<number, Reservation>()
  for (let step = 1; ; step++) {
    const { desk, ledger } = random.pick(loops)
    if (open.size < MAX_OPEN && random.below(2) < 1) {
      const want = 1 + Math.floor(random.below(MAX_WANT))
      const set = desk.budgetsOf({ owner: null, accountIndex: -1, model: 'fast', user: null })
      say(`ask ${step} ${want}`)
      const held = await set?.reserve({ nano: 1, tokens: 0 }, { nano: want, tokens: 0 })
      if (held === undefined || held.refused) throw new Error('refused')
      if (!(await held.written)) throw new Error('not written')
      say(`open ${step} ${held.held.nano}`)
      open.set(step, held)
    } else if (open.size > 0) {
      const [n, held] = random.pick([...open])
      open.delete(n)
      // Now and then more than was reserved.
      const amount = Math.floor(held.held.nano * random.below(1.2))
      say(`settle ${n} ${amount}`)
      held.settle({ nano: amount, tokens: 0 })
      say(`settled ${n}`)
    }
    if (random.below(30) < 1) void ledger.store()
    if (random.below(3) < 1) {
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
      say('turn')
    }
    if (step % STEPS_A_MARK === 0) process.stdout.write('.')
  }
}

if (mode === 'spend') await spend()
else {
  process.stdout.write(`${(await store.getBudget(budget.name))?.spent}\n`)
  await thread.close()
}
