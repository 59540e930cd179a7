// A process that logs to its stdout, for the tests of what becomes of the last lines. Waits for a line on stdin, then does
// what its first argument says.
import { once } from 'node:events'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { createLog } from '../../src/telemetry/log/log.js'
import { exchangeRecord } from './exchange-record.js'

const LINES = 2000
const THREADS = 3
const log = createLog({ level: 'info', file: null, format: 'json' }, { secrets: [] })

function logLines(thread: number): void {
  for (let i = 0; i < LINES; i++) log.exchange(exchangeRecord({ requestId: `${thread}-${i}` }))
}

if (!isMainThread) {
  logLines(workerData)
  await log.flush()
} else {
  const [task] = process.argv.slice(2)
  await once(process.stdin, 'data')
  process.stdin.destroy()
  if (task === 'exit') {
    logLines(0)
    process.exit(0)
  } else if (task === 'flush') {
    logLines(0)
    process.stderr.write('logged\n')
    await log.flush()
  } else if (task === 'end') {
    log.info({}, 'the end')
  } else if (task === 'broken') {
    log.info({}, 'nobody reads this')
    await log.flush()
    logLines(0)
    await log.flush()
    log.info({}, 'nor this')
    process.exitCode = 7
  } else if (task === 'broken-exit') {
    log.info({}, 'nobody reads this')
    process.exit(7)
  } else {
    const workers = Array.from(
      { length: THREADS },
      (_, i) => new Worker(new URL(import.meta.url), { workerData: i + 1 }),
    )
    await Promise.all(workers.map((worker) => once(worker, 'exit')))
  }
}
