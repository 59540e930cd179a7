// Entry of the thread that owns the file of stored answers. No logic of its own.
import { parentPort, workerData } from 'node:worker_threads'
import { type ResponsesStart } from '../src/responses/sqlite/start.js'
import { serveResponses } from '../src/responses/sqlite/thread.js'

if (parentPort !== null) serveResponses(workerData as ResponsesStart, parentPort)
