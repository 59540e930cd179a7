// What is fetched of the URLs in clients' requests is bounded: one key's images that never end hold no more than the key may, over
// two event loops, another key's are fetched meanwhile, and every way out gives back what was held.
import { type ServerResponse } from 'node:http'
import tap, { test } from 'tap'
import { simulatedProviders, startGateway } from '../helpers/gateway.js'
import { readFixture } from '../helpers/matrix.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'
import { stream, ToldUpstream } from '../helpers/told-upstream.js'

const MIB = 1024 * 1024
const GREEDY = 'key-of-the-greedy-team'
const QUIET = 'key-of-the-quiet-team'
const IMAGE = Buffer.alloc(MIB, 7)
/** In the units of the count. */
const IMAGE_ROOM = 1024 * Math.ceil((4 * Math.ceil(MIB / 3)) / 1024)
const FITS = Math.floor((8 * MIB) / IMAGE_ROOM)

const upstream = await ToldUpstream.start(
  tap,
  stream(readFixture('ollama-chat/streams/text.ndjson'), 'application/x-ndjson'),
)
const unfinished: ServerResponse[] = []
const images = await ToldUpstream.start(tap, (answer, { url }) => {
  answer.writeHead(200, { 'content-type': 'image/png', 'content-length': String(IMAGE.length) })
  if (url.startsWith('/whole.png')) answer.end(IMAGE)
  else {
    unfinished.push(answer)
    answer.write(IMAGE.subarray(0, 1000))
  }
})
const gateway = await startGateway(tap, {
  config: {
    server: { threads: 2 },
    keys: [
      { name: 'greedy', key: GREEDY },
      { name: 'quiet', key: QUIET },
    ],
    metrics: { token: 'metrics-token' },
    providers: { ollama: simulatedProviders(upstream.origin).ollama },
    content: {
      fetch: {
        ...{ enabled: true, allowInsecure: true, allowPrivateNetworks: true, timeoutMs: 60_000 },
        ...{ maxBytes: MIB, maxCount: 4, maxHeldBytes: 16 * MIB, maxHeldBytesPerKey: 8 * MIB },
      },
    },
  },
})

function ask(key: string, paths: readonly string[], signal: AbortSignal | null = null): Promise<Response> {
  const parts = paths.map((path) => ({ type: 'image_url', image_url: { url: `${images.origin}${path}` } }))
  const content = [{ type: 'text', text: 'What?' }, ...parts]
  return fetch(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'ollama/m', stream: true, messages: [{ role: 'user', content }] }),
    signal,
  })
}

async function page() {
  const answer = await fetch(`${gateway.origin}/metrics`, { headers: { authorization: 'Bearer metrics-token' } })
  return parsePage(await answer.text()).samples
}

async function heldBytes(): Promise<number> {
  return sampleValue(await page(), 'sluice_fetched_bytes', {}) ?? Number.NaN
}

async function untilHeld(bytes: number): Promise<void> {
  while ((await heldBytes()) !== bytes) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('of a key’s images that never end as many are fetched as fit; another key’s are fetched, and all of it comes back', async (t) => {
  const leaving = new AbortController()
  const held = Array.from({ length: FITS }, (_, i) =>
    ask(GREEDY, [`/never.png?${i}`], leaving.signal).catch((thrown: unknown) => thrown),
  )
  await untilHeld(FITS * IMAGE_ROOM)
  const refused = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(GREEDY, [`/never.png?x${i}`])))
  t.same([...new Set(refused.map(({ status }) => status))], [429])
  t.match(await refused[0]?.text(), /fetched by URL use all 8388608 bytes of content\.fetch\.maxHeldBytesPerKey/)
  t.equal(refused[0]?.headers.get('retry-after'), '1')
  t.equal(sampleValue(await page(), 'sluice_limit_rejections_total', { scope: 'key', limit: 'fetched' }), 20)
  const other = await ask(QUIET, ['/whole.png', '/whole.png?2', '/whole.png?3'])
  t.equal(other.status, 200)
  t.match(await other.text(), /\[DONE\]/)
  t.equal((upstream.body.messages as { images: string[] }[])[0]?.images.length, 3)
  await untilHeld(FITS * IMAGE_ROOM)
  leaving.abort()
  await Promise.all(held)
  await untilHeld(0)
  t.equal((await ask(GREEDY, ['/whole.png'])).status, 200)
  await untilHeld(0)
})

test('a request whose images do not all find room is refused as a whole and holds nothing', async (t) => {
  const leaving = new AbortController()
  const held = Array.from({ length: FITS - 2 }, (_, i) =>
    ask(GREEDY, [`/never.png?${i}`], leaving.signal).catch((thrown: unknown) => thrown),
  )
  await untilHeld((FITS - 2) * IMAGE_ROOM)
  t.equal((await ask(GREEDY, ['/never.png?a', '/never.png?b', '/never.png?c'])).status, 429)
  await untilHeld((FITS - 2) * IMAGE_ROOM)
  t.equal((await ask(GREEDY, ['/whole.png?a', '/whole.png?b'])).status, 200)
  leaving.abort()
  await Promise.all(held)
  await untilHeld(0)
})

test('servers that cut their images leave nothing held', async (t) => {
  unfinished.length = 0
  const asked = [ask(GREEDY, ['/never.png']), ask(QUIET, ['/never.png', '/never.png?2'])]
  await untilHeld(3 * IMAGE_ROOM)
  for (const answer of unfinished) answer.destroy()
  for (const answer of asked) t.equal((await answer).status, 400)
  await untilHeld(0)
})
