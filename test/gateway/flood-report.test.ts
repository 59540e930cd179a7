// Floods are counted each, and told once a second for each kind.
import { test } from 'tap'
import { FloodReport } from '../../src/gateway/flood-report.js'
import { type FloodKind } from '../../src/telemetry/records.js'

function create() {
  const counted: FloodKind[] = []
  const lines: object[] = []
  const clock = { nowMs: 50 }
  const report = new FloodReport({
    metrics: { flood: (kind) => void counted.push(kind) },
    log: () => ({ warn: (fields, message) => void lines.push({ ...fields, message }) }),
    nowMs: () => clock.nowMs,
  })
  return { counted, lines, clock, report }
}

test('counts every connection, and writes a line a second with the number since the last', async (t) => {
  const { counted, lines, clock, report } = create()
  const address = '10.0.0.7'
  for (let i = 0; i < 5; i++) report.note('requests', address)
  report.note('messages', address)
  clock.nowMs += 1000
  report.note('requests', address)
  t.equal(counted.length, 7)
  const requests = 'connection closed: too many pipelined requests'
  t.strictSame(lines, [
    { address: '10.0.0.7', connections: 1, message: requests },
    { address: '10.0.0.7', connections: 1, message: 'WebSocket closed: too many messages' },
    { address: '10.0.0.7', connections: 5, message: requests },
  ])
})
