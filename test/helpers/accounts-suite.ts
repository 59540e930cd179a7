// What every store of keys, teams and budgets must hold, whatever database keeps it: one suite, run over each of them.
import { budgetSuite } from './accounts-budget-suite.js'
import { auditSuite, orderSuite, teamSuite } from './accounts-change-suite.js'
import { keySuite, secretSuite } from './accounts-key-suite.js'
import { type OpenAccounts } from './accounts-rig.js'

/** Runs the whole suite over one kind of store. */
export function accountsSuite(kind: string, open: OpenAccounts): void {
  keySuite(kind, open)
  secretSuite(kind, open)
  teamSuite(kind, open)
  orderSuite(kind, open)
  auditSuite(kind, open)
  budgetSuite(kind, open)
}
