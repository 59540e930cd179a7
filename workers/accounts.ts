// Entry of the thread that owns the database of keys and teams. No logic of its own.
import { parentPort, workerData } from 'node:worker_threads'
import { type AccountsStart } from '../src/accounts/messages.js'
import { serveAccounts } from '../src/accounts/thread.js'

if (parentPort !== null) await serveAccounts(workerData as AccountsStart, parentPort)
