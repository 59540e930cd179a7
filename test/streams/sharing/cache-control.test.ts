// The Cache-Control header of a request.
import { test } from 'tap'
import { ANY_ANSWER, parseCacheControl } from '../../../src/streams/sharing/cache-control.js'

test('reads what a request may say about stored answers', (t) => {
  const cases: readonly (readonly [header: string, found: Partial<typeof ANY_ANSWER>])[] = [
    ['', {}],
    ['no-store', { noStore: true }],
    ['No-Cache', { noCache: true }],
    ['max-age=60', { maxAgeMs: 60_000 }],
    ['max-age=0', { maxAgeMs: 0 }],
    [' no-cache , no-store', { noCache: true, noStore: true }],
    ['max-age="5"', { maxAgeMs: 5000 }],
    ['max-age=60, max-age=10', { maxAgeMs: 10_000 }],
    ['max-age=10, max-age=60', { maxAgeMs: 10_000 }],
    ['max-age', { maxAgeMs: 0 }],
    ['max-age=soon', { maxAgeMs: 0 }],
    ['max-age=-1', { maxAgeMs: 0 }],
    ['max-stale=3, only-if-cached, no-transform, x', {}],
    ['no-cache-please, no-storey', {}],
    [',,=,', {}],
  ]
  for (const [header, found] of cases) t.same(parseCacheControl(header), { ...ANY_ANSWER, ...found }, header)
  t.end()
})
