// The way out: the exporter is loaded once, what is lost is counted, and a change of the collector's state is told once.
import { test } from 'tap'
import { encodeHead, SERVER, type SpanBatch } from '../../../src/telemetry/traces/encoding/span-batch.js'
import { type SpanSender } from '../../../src/telemetry/traces/otlp.js'
import { SpanExport } from '../../../src/telemetry/traces/span-export.js'

const SPAN = {
  ...{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', place: 0, parentId: null },
  ...{ parentPlace: 0, isParentRemote: false, state: '', name: 'POST chat', kind: SERVER, startMs: 1, endMs: 2 },
}
const HEAD = encodeHead({}, { name: 'test', version: '1' })

/** Two spans. */
function take(out: SpanExport): void {
  const write = (batch: SpanBatch): void => {
    for (let i = 0; i < 2; i++) {
      batch.startSpan(SPAN)
      batch.endSpan(false)
    }
  }
  out.put({ spans: 2, write }, false)
}

function rig(load: () => Promise<SpanSender>) {
  const counts: string[] = []
  const states: (string | null)[] = []
  const out = new SpanExport({
    ...{ maxQueued: 4, maxBatch: 2, delayMs: 3_600_000, load, head: HEAD },
    count: (result, spans) => counts.push(`${result} ${spans}`),
    onState: (failure) => states.push(failure?.message ?? null),
  })
  return { out, counts, states }
}

test('spans are exported, and a collector that fails is told of once, and when it is back', async (t) => {
  const answers = [new Error('no'), new Error('no'), null, null]
  let loads = 0
  const { out, counts, states } = rig(async () => {
    loads += 1
    return { send: async () => answers.shift() ?? null }
  })
  await out.start()
  for (let i = 0; i < 4; i++) {
    take(out)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await out.close(3_600_000)
  t.same(counts, ['dropped 2', 'dropped 2', 'exported 2', 'exported 2'])
  t.same(states, ['no', null])
  t.equal(loads, 1)
})

test('an exporter that cannot be loaded costs the spans, and nothing else', async (t) => {
  const { out, counts, states } = rig(() => Promise.reject(new Error('no such package')))
  await out.start()
  take(out)
  await out.close(3_600_000)
  t.same(counts, ['dropped 2'])
  t.same(states, ['no such package'])
})
