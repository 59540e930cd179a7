// Entry of the thread that owns the embedded job store's file. No logic of its own.
import { parentPort, workerData } from 'node:worker_threads'
import { type StoreStart } from '../src/jobs/sqlite/messages.js'
import { serveJobs } from '../src/jobs/sqlite/thread.js'

if (parentPort !== null) serveJobs(workerData as StoreStart, parentPort)
