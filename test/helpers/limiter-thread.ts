// One more thread with a limiter over shared cells, for the tests of exactness: it does one job and posts the result.
import { parentPort, workerData } from 'node:worker_threads'
import { createLimiter } from '../../src/limit/local/cells.js'
import { type LimiterJob, type LimiterReport } from './limiter-setup.js'

const job = workerData as LimiterJob
const { frozenNs } = job
const limiter = createLimiter(job.config, job.cells, frozenNs === null ? {} : { nowNs: () => frozenNs })
let admitted = 0
let mostActive = 0

function attempt(): void {
  try {
    if (job.task === 'requests') limiter.takeRequest(job.keyIndex)
    else limiter.reserveTokens(job.keyIndex, 3)
    admitted += 1
  } catch {}
}

function enterAndLeave(): void {
  try {
    if (!limiter.enter(job.keyIndex, { keyIndex: job.keyIndex, onEntered() {}, onRefused() {} })) return
    admitted += 1
    mostActive = Math.max(mostActive, limiter.active())
    limiter.leave(job.keyIndex)
  } catch {}
}

if (job.task === 'wait') {
  // An open port keeps the thread alive: the limiter itself must not.
  parentPort?.on('message', () => {})
  limiter.enter(job.keyIndex, {
    keyIndex: job.keyIndex,
    onEntered() {
      parentPort?.postMessage('entered')
      limiter.leave(job.keyIndex)
      parentPort?.close()
    },
    onRefused() {
      parentPort?.postMessage('refused')
      parentPort?.close()
    },
  })
  parentPort?.postMessage('queued')
} else {
  for (let i = 0; i < job.attempts; i++) job.task === 'slots' ? enterAndLeave() : attempt()
  parentPort?.postMessage({ admitted, mostActive } satisfies LimiterReport)
}
