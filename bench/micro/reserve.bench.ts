// What does a reservation in three budgets of a key, with its settlement, cost the event loop? Without a journal, and with one that is written
// for ten at a time; and finding the budgets of a request. Nothing reaches a database.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ledger } from '../../src/accounts/budgets/ledger.js'
import { amount, BudgetRig, budget, reserved } from '../../test/helpers/budget-rig.js'
import { measure, printTable } from './measure.js'

const PER_MONTH = { per: 'month' } as const
const NEED = amount(1_000_000)
const WANT = amount(2_000_000)
const SPENT = amount(1_500_000)
/** Beyond the reservation, which is written at once, with all that waits. */
const MORE = amount(2_500_000)
/** As a busy gateway has in a turn of its event loop. */
const PER_TURN = 10
const LIMIT = 1e15

const rig = new BudgetRig()
const team = { id: 'team_blue', name: 'blue', models: ['*'], limits: rig.account().limits }
rig.account({ team })
rig.writer.put(budget('key', LIMIT, { kind: 'key', subject: 'key_1', ...PER_MONTH }))
rig.writer.put(budget('team', LIMIT, { kind: 'team', subject: 'team_blue', ...PER_MONTH }))
rig.writer.put(budget('all', LIMIT, PER_MONTH))
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
const ledger = new Ledger({ folder, createId: () => String(process.hrtime.bigint()), store: async () => undefined })
const [bare, written] = [rig.setOf(rig.loop(), 1), rig.setOf(rig.loop(ledger), 1)]
const loop = rig.loop()
let n = 0

printTable('a reservation in three budgets', [
  measure('find the budgets', () => rig.setOf(loop, 1)),
  measure('reserve + settle', () => reserved(bare, NEED, WANT).settle(SPENT)),
  measure('the same, with a journal', () => {
    n += 1
    reserved(written, NEED, WANT).settle(n % PER_TURN === 0 ? MORE : SPENT)
  }),
])
rmSync(folder, { recursive: true })
