// Kept streams in a real Chromium, from a page of another origin, over connections that are cut: its EventSource with the link of a
// stream, and `sluice/client` as it is built. Skipped where there is no Chromium.
import { type Test, test } from 'tap'
import { type BrowserPage, findChromium, openPage } from '../helpers/browser.js'
import { type PageCall } from '../helpers/browser-page.js'
import { wordsOf } from '../helpers/cut-clients.js'
import { type Cut, startCuttingProxy } from '../helpers/cutting-proxy.js'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { Random } from '../helpers/random.js'

const CHROMIUM = findChromium()
const NO_CHROMIUM = 'needs chromium in PATH, or SLUICE_TEST_CHROMIUM'
/** No subprotocol can hold it as it is. */
const KEY = 'test/key=0123456789+abcdef'
/** Frames of so many words are more than all the cuts let through. */
const WORDS = 100
const HOUR_MS = 3_600_000
/** By SIGUSR2 the gateway's calendar goes on by twice the time that a link is valid. */
const LATER = `data:text/javascript,${encodeURIComponent(
  'const { now } = Date; let late = 0; Date.now = () => now() + late; process.on("SIGUSR2", () => { late = 1_800_000; console.error("later") })',
)}`

/**
 * Each but the second and fourth is longer than a head. Within a head only a reset is a loss: over plain HTTP Chromium takes a head
 * that ends too early for a whole one.
 */
const CUTS: readonly Cut[] = [
  { afterBytes: 3000, how: 'fin' },
  { afterBytes: 300, how: 'rst' },
  { afterBytes: 2600, how: 'rst' },
  { afterBytes: 0, how: 'fin' },
  { afterBytes: 3300, how: 'fin' },
]

type Ground = { readonly page: BrowserPage; readonly gateway: Running; readonly call: PageCall }

/** A page, and a gateway that it may use, whose model says back what it is told. */
async function prepare(t: Test, { tokensPerSec = 400, model = 'openai/echo', env = {} } = {}): Promise<Ground> {
  const page = await openPage(t, CHROMIUM ?? '', t.testdir())
  const simulator = await startSimulator(t, ['--tokens-per-second', String(tokensPerSec)])
  const gateway = await startGateway(t, {
    config: {
      server: { cors: { origins: [page.origin] } },
      streams: { graceMs: HOUR_MS },
      keys: [{ name: 'page', key: KEY }],
      providers: simulatedProviders(simulator.origin),
    },
    env,
  })
  return { page, gateway, call: { origin: gateway.origin, key: KEY, model, text: 'Go on' } }
}

function portOf({ origin }: Running): number {
  return Number(new URL(origin).port)
}

test('a Chromium is looked for by name and by variable', async (t) => {
  const folder = t.testdir({ chromium: '' })
  t.equal(findChromium({ PATH: folder }), null, 'a file that cannot be executed')
  t.equal(findChromium({ PATH: '' }), null)
  t.equal(findChromium({ PATH: '', SLUICE_TEST_CHROMIUM: '/opt/chromium' }), '/opt/chromium')
})

test('an EventSource reads every word once by its link over cut connections, and stops by 204', {
  skip: CHROMIUM === null ? NO_CHROMIUM : false,
}, async (t) => {
  const { page, gateway, call } = await prepare(t)
  const random = Random.ofRun()
  const text = wordsOf(random, WORDS)
  const path = await page.run('openKept', { ...call, text })
  t.match(path, /^\/v1\/streams\/str_[\w-]+\?token=/, 'the header is exposed to the page')
  const proxy = await startCuttingProxy(t, portOf(gateway), (connection) => CUTS[connection] ?? null)
  const url = `${proxy.origin}${path}`
  const { ids, ...rest } = await page.run('follow', url)
  t.match(rest, { text, readyState: 2, said: '' }, `SEED=${random.seed}`)
  t.same(
    ids,
    ids.map((_, i) => String(i)),
    'each frame once and in order',
  )
  t.equal(proxy.counts.cut, CUTS.length, 'every cut was made')
  const answers = () => page.seen.filter((answer) => answer.url === url).map(({ status }) => status)
  t.equal(answers().at(-1), 204)
  const before = answers().length
  await page.run('untilReconnected', `${page.origin}/ended`)
  t.equal(answers().length, before, 'no request after 204')
})

test('resumingFetch and SluiceSocket of the built client read every word once in a page over cut connections', {
  skip: CHROMIUM === null ? NO_CHROMIUM : false,
}, async (t) => {
  const { page, gateway, call } = await prepare(t, { tokensPerSec: 100 })
  const random = Random.ofRun()
  // Seven of eight, wherever the reset comes: in a preflight, a head, a frame.
  const proxy = await startCuttingProxy(t, portOf(gateway), (connection) =>
    connection % 8 === 7 ? null : { afterBytes: Math.floor(random.below(9000)), how: 'rst' },
  )
  const calls = Array.from({ length: 6 }, (_, i) => ({
    ...call,
    origin: proxy.origin,
    model: i % 2 === 0 ? 'openai/echo' : 'anthropic/echo',
    text: wordsOf(random, WORDS),
  }))
  let resumes = 0
  for (const one of calls) {
    const read = await page.run('readResumed', one)
    t.match(read, { text: one.text, isWhole: true }, `SEED=${random.seed}`)
    resumes += read.resumes
  }
  t.ok(resumes >= 5, `${resumes} answers resumed`)
  t.ok(proxy.counts.cut >= 5, `${proxy.counts.cut} cuts`)

  // All chats share these bytes, and one that no socket has let begin is given up after a few: at this pace a socket lives for some 100 ms.
  const socketProxy = await startCuttingProxy(t, portOf(gateway), () => ({
    afterBytes: 6000 + Math.floor(random.below(12_000)),
    how: random.below(2) < 1 ? 'fin' : 'rst',
  }))
  const onSocket = await page.run(
    'readOnSocket',
    calls.map((one) => ({ ...one, origin: socketProxy.origin })),
  )
  t.same(
    onSocket.texts,
    calls.map(({ text }) => text),
    `SEED=${random.seed}`,
  )
  t.ok(onSocket.resumes >= 5 && onSocket.lost >= 5, `${onSocket.lost} sockets lost, ${onSocket.resumes} chats resumed`)
  t.ok(socketProxy.counts.cut >= 5, `${socketProxy.counts.cut} cuts`)
})

test('a page that stops, or is left, stops its stream at the gateway at once, however long its grace', {
  skip: CHROMIUM === null ? NO_CHROMIUM : false,
}, async (t) => {
  const { page, gateway, call } = await prepare(t, { tokensPerSec: 50, model: 'openai/lorem' })
  const deleted = page.nextStatus('DELETE')
  const aborted = await page.run('beginAndStop', call, 'signal')
  t.match(await gateway.exchange(aborted), { outcome: 'client_gone' })
  t.equal(await deleted, 204)
  const cancelled = await page.run('beginAndCancel', call)
  t.match(await gateway.exchange(cancelled), { outcome: 'client_gone' })
  const left = await page.run('beginAndStop', call, 'pagehide')
  await page.leave()
  t.match(await gateway.exchange(left), { outcome: 'client_gone' })
})

test('a link that is wrong, or expires while it is read, and a wrong key end the page attempts and tell it nothing', {
  skip: CHROMIUM === null ? NO_CHROMIUM : false,
}, async (t) => {
  const env = { NODE_OPTIONS: `--import=${LATER}` }
  const { page, gateway, call } = await prepare(t, { tokensPerSec: 50, model: 'openai/lorem', env })
  const path = (await page.run('openKept', call)) ?? ''
  const token = path.split('token=')[1] ?? ''
  t.match(token, /^\w+\.[\w-]{8}\.[\w-]{43}$/)
  const refused = { text: '', ids: [], opens: 0, errors: 1, readyState: 2, said: '' }

  const wrong = path.replace(/.{6}$/, 'AAAAAA')
  t.same(await page.run('follow', gateway.origin + wrong), refused)
  const unknown = path.replace(/str_[\w-]{6}/, 'str_000000')
  const [ofWrong, ofUnknown] = [
    await page.run('look', gateway.origin + wrong),
    await page.run('look', gateway.origin + unknown),
  ]
  t.equal(ofWrong.status, 404)
  t.same(ofWrong, ofUnknown, 'as for a stream that never was')

  // Time passes when it comes back for the first time; it may still be let in then, but not after that.
  const proxy = await startCuttingProxy(t, portOf(gateway), (connection) => {
    if (connection === 1) gateway.child.kill('SIGUSR2')
    return { afterBytes: 4000, how: 'rst' }
  })
  const expired = await page.run('follow', proxy.origin + path)
  t.match(expired, { readyState: 2, said: '' })
  t.ok(expired.ids.length > 0, 'it was read before')
  t.match(gateway.complaints, /^later$/m)
  const answers = page.seen.filter(({ url }) => url === proxy.origin + path).map(({ status }) => status)
  t.match(answers.join(' '), /^200 (200 )?404$/, 'one refusal is enough')

  const { code, lost } = await page.run('failOnSocket', { ...call, key: 'wrong-key' })
  t.equal(code, 'unauthenticated')
  t.same(lost, ['4401 unauthenticated', '4401 unauthenticated'])

  const said = `${gateway.output.join('\n')}${gateway.errorOutput}`
  for (const secret of [KEY, token, wrong.split('token=')[1] ?? '', 'wrong-key'])
    t.notOk(said.includes(secret), 'not in the log')
})
