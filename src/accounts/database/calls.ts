// The calls of the contract over one transaction, by their names.
import { type AccountCalls } from '../store.js'
import { Budgets } from './budgets/budgets.js'
import { addBatches } from './budgets/spend.js'
import { beginChange, listAudit, recordChange } from './changes.js'
import { Keys } from './keys.js'
import { addRollups } from './rollups/add-rollups.js'
import { reportKeyUsage, reportSpend } from './rollups/spend-reports.js'
import { type Database, type Ground } from './rows.js'
import { listPaused, setPaused } from './settings.js'
import { Teams } from './teams.js'

/** Calls that change nothing: they need no transaction, and are answered by a database that takes no changes. */
export const READING: ReadonlySet<keyof AccountCalls> = new Set([
  ...(['getKey', 'listKeys', 'getTeam', 'listTeams', 'getBudget', 'listBudgets', 'listAudit', 'listPaused'] as const),
  ...(['reportSpend', 'reportKeyUsage'] as const),
])

/** Each to be made within a transaction, one after the other. */
export function callsOver(db: Database, ground: Ground): AccountCalls {
  const keys = new Keys(db, ground)
  const teams = new Teams(db, ground)
  const budgets = new Budgets(db, ground)
  return {
    createKey: (key, by) => keys.create(key, by),
    getKey: (name) => keys.get(name),
    listKeys: (page) => keys.list(page),
    updateKey: (name, patch, change) => keys.update(name, patch, change),
    rotateKey: (name, overlap, change) => keys.rotate(name, overlap, change),
    deleteKey: (name, change) => keys.delete(name, change),
    createTeam: (team, by) => teams.create(team, by),
    getTeam: (name) => teams.get(name),
    listTeams: (page) => teams.list(page),
    updateTeam: (name, patch, change) => teams.update(name, patch, change),
    deleteTeam: (name, change) => teams.delete(name, change),
    createBudget: (budget, by) => budgets.create(budget, by),
    getBudget: (name, user) => budgets.get(name, user),
    listBudgets: (page) => budgets.list(page),
    updateBudget: (name, terms, change) => budgets.update(name, terms, change),
    deleteBudget: (name, change) => budgets.delete(name, change),
    adjustBudget: (name, adjustment, by) => budgets.adjust(name, adjustment, by),
    addSpend: (batches, gone) => addBatches(db, batches, gone),
    addRollups: (batch) => addRollups(db, batch, ground.users, ground.nowMs()),
    reportSpend: (query) => reportSpend(db, query),
    reportKeyUsage: (owner) => reportKeyUsage(db, owner, ground.nowMs()),
    async appendAudit(entry) {
      const { revision } = await beginChange(db)
      await recordChange(db, revision, { ...entry, targetId: null })
    },
    listAudit: (page) => listAudit(db, page),
    listPaused: () => listPaused(db),
    setPaused: (name, isPaused, { by }) => setPaused(db, { name, isPaused, by, atMs: ground.nowMs() }),
  }
}
