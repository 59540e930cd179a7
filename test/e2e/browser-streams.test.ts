// Kept streams in a real Chromium, from a page of another origin, over connections that are cut: its EventSource with the link of a
// stream, and `sluice/client` as it is built. Skipped where there is no Chromium.
import { type Test, test } from 'tap'
import { type BrowserPage, findChromium, IN_CHROMIUM, openPage } from '../helpers/browser.js'
import { bundleClient } from '../helpers/client-bundle.js'
import { wordsOf } from '../helpers/cut-clients.js'
import { type Cut, startCuttingProxy } from '../helpers/cutting-proxy.js'
import { type Running, simulatedProviders, startGateway } from '../helpers/gateway.js'
import { Random } from '../helpers/random.js'
import { startSimulator } from '../helpers/simulator.js'

/** No subprotocol can hold it as it is. */
const KEY = 'test/key=0123456789+abcdef'
/** Frames of so many words are more than all the cuts let through. */
const WORDS = 100
/** A third of what six chats of so many words bring on a socket. */
const BEGIN_BYTES = 40_000
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

/** A gateway that the page may use. */
async function startFor(t: Test, { origin }: BrowserPage, { tokensPerSec = 100, env = {} } = {}) {
  const simulator = await startSimulator(t, { tokensPerSecond: tokensPerSec })
  const gateway = await startGateway(t, {
    config: {
      server: { cors: { origins: [origin] } },
      streams: { graceMs: HOUR_MS },
      keys: [{ name: 'page', key: KEY }],
      providers: simulatedProviders(simulator.origin),
    },
    env,
  })
  return { gateway, call: { origin: gateway.origin, key: KEY, model: 'openai/echo', text: 'Go on' } }
}

function portOf({ origin }: { readonly origin: string }): number {
  return Number(new URL(origin).port)
}

/** Its first connection leads to the server of the page, which says how soon an EventSource is to come back; the others are cut. */
function startEventProxy(t: Test, page: BrowserPage, gateway: Running, cutOf: (connection: number) => Cut | null) {
  const targetOf = (accepted: number): number => portOf(accepted === 1 ? page : gateway)
  return startCuttingProxy(t, targetOf, (connection) => (connection === 0 ? null : cutOf(connection - 1)))
}

test('a Chromium is looked for by name and by variable', async (t) => {
  const folder = t.testdir({ chromium: '' })
  t.equal(findChromium({ PATH: folder }), null, 'a file that cannot be executed')
  t.equal(findChromium({ PATH: '' }), null)
  t.equal(findChromium({ PATH: '', SLUICE_TEST_CHROMIUM: '/opt/chromium' }), '/opt/chromium')
})

test('a page of another origin', IN_CHROMIUM, async (t) => {
  const page = await openPage(t, bundleClient(t.testdir()))
  const { gateway, call } = await startFor(t, page)
  const lorem = { ...call, model: 'openai/lorem-max' }

  await t.test('an EventSource reads every word once by its link over cut connections, and stops by 204', async (t) => {
    const random = Random.ofRun()
    const text = wordsOf(random, WORDS)
    const path = await page.run('openKept', { ...call, text })
    t.match(path, /^\/v1\/streams\/str_[\w-]+\?token=/, 'the header is exposed to the page')
    const proxy = await startEventProxy(t, page, gateway, (connection) => CUTS[connection] ?? null)
    const url = `${proxy.origin}${path}`
    const { ids, ...rest } = await page.run('follow', url)
    t.match(rest, { text, readyState: 2, said: '' }, `SEED=${random.seed}`)
    t.same(
      ids,
      ids.map((_, i) => String(i)),
      'each frame once and in order',
    )
    t.equal(proxy.counts.cut, CUTS.length, 'every cut was made')
    const ended = `${page.origin}/ended`
    await page.run('untilReconnected', ended)
    await page.answer((answer) => answer.url === ended && page.seen.filter(({ url }) => url === ended).length === 2)
    const answers = page.seen.filter((answer) => answer.url === url).map(({ status }) => status)
    t.match(answers.join(' '), /^(200 )+204$/, 'no request after 204')
  })

  await t.test(
    'resumingFetch and SluiceSocket of the built client read every word once over cut connections',
    async (t) => {
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
      const reads = await Promise.all(calls.map((one) => page.run('readResumed', one)))
      for (const [index, { text }] of calls.entries()) {
        t.match(reads[index], { text, isWhole: true }, `SEED=${random.seed}`)
      }
      const resumes = reads.reduce((sum, read) => sum + read.resumes, 0)
      t.ok(resumes >= 5, `${resumes} answers resumed`)
      t.ok(proxy.counts.cut >= 5, `${proxy.counts.cut} cuts`)

      // All chats share these bytes. One that no socket has let begin is given up after a few, so the first lives until all have begun.
      const socketProxy = await startCuttingProxy(t, portOf(gateway), (connection) => ({
        afterBytes: (connection === 0 ? BEGIN_BYTES : 6000) + Math.floor(random.below(12_000)),
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
      t.ok(
        onSocket.resumes >= 5 && onSocket.lost >= 5,
        `${onSocket.lost} sockets lost, ${onSocket.resumes} chats resumed`,
      )
      t.ok(socketProxy.counts.cut >= 5, `${socketProxy.counts.cut} cuts`)
    },
  )

  await t.test(
    'one that stops, or is left, stops its stream at the gateway at once, however long its grace',
    async (t) => {
      const aborted = await page.run('beginAndStop', lorem, 'signal')
      t.match(await gateway.exchange(aborted), { outcome: 'client_gone' })
      t.match(await page.answer(({ method }) => method === 'DELETE'), { status: 204 })
      const cancelled = await page.run('beginAndCancel', lorem)
      t.match(await gateway.exchange(cancelled), { outcome: 'client_gone' })
      const left = await page.run('beginAndStop', lorem, 'pagehide')
      await page.leave()
      t.match(await gateway.exchange(left), { outcome: 'client_gone' })
    },
  )

  await t.test(
    'a link that is wrong, or expires while it is read, and a wrong key end its attempts and tell it nothing',
    async (t) => {
      const env = { NODE_OPTIONS: `--import=${LATER}` }
      const { gateway, call } = await startFor(t, page, { tokensPerSec: 50, env })
      const path = (await page.run('openKept', { ...call, model: 'openai/lorem-max' })) ?? ''
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
      const proxy = await startEventProxy(t, page, gateway, (connection) => {
        if (connection === 1) gateway.child.kill('SIGUSR2')
        return { afterBytes: 4000, how: 'rst' }
      })
      const expired = await page.run('follow', proxy.origin + path)
      t.match(expired, { readyState: 2, said: '' })
      t.ok(expired.ids.length > 0, 'it was read before')
      t.match(gateway.complaints, /^later$/m)
      await page.answer(({ url, status }) => url === proxy.origin + path && status === 404)
      const answers = page.seen.filter(({ url }) => url === proxy.origin + path).map(({ status }) => status)
      t.match(answers.join(' '), /^200 200 (200 )?404$/, 'one refusal is enough')

      const { code, lost } = await page.run('failOnSocket', { ...call, key: 'wrong-key' })
      t.equal(code, 'unauthenticated')
      t.same(lost, ['4401 unauthenticated', '4401 unauthenticated'])

      const said = `${gateway.output.join('\n')}${gateway.errorOutput}`
      for (const secret of [KEY, token, wrong.split('token=')[1] ?? '', 'wrong-key'])
        t.notOk(said.includes(secret), 'not in the log')
    },
  )
})
