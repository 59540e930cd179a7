// What every job store must hold, whatever keeps it: one suite, run over each of them.

import { clockSuite } from './clock-suite.js'
import { deliverySuite } from './delivery-suite.js'
import { deskSuite } from './desk-suite.js'
import { kindSuite } from './kind-suite.js'
import { queueSuite } from './queue-suite.js'
import { repeatSuite } from './repeat-suite.js'
import { type OpenStore } from './store-rig.js'

/** Runs the whole suite over one kind of store. */
export function storeSuite(kind: string, open: OpenStore): void {
  deskSuite(kind, open)
  queueSuite(kind, open)
  kindSuite(kind, open)
  deliverySuite(kind, open)
  repeatSuite(kind, open)
  clockSuite(kind, open)
}
