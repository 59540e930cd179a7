// Every class of good, bad and doubtful JSON at a running gateway: as the whole body, as a field that nobody knows, and as a
// message's content, over both surfaces. Good JSON is never called bad, bad JSON is always a 400, and nothing harms the process.
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { Pool } from 'undici'
import { GatewayError } from '../../src/errors.js'
import { createCodec } from '../../src/protocols/contract/codec.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { ROOT, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { SURFACES } from '../helpers/protocol-fixtures.js'

type Group = {
  readonly inArray: readonly string[]
  readonly whole: readonly string[]
  readonly repeated: readonly (readonly [piece: string, count: number, end: string])[]
}
type Verdict = 'accepted' | 'refused' | 'either'
type Place = 'body' | 'field' | 'content'
type Answer = { readonly status: number; readonly error?: { readonly message: string; readonly param?: string | null } }

const VERDICTS: readonly Verdict[] = ['accepted', 'refused', 'either']
const PLACES: readonly Place[] = ['body', 'field', 'content']
const PATHS = ['/v1/chat/completions', '/v1/messages']
const IN_FLIGHT = 16
const groups = JSON.parse(readFileSync(`${ROOT}test/fixtures/json/texts.json`, 'utf8')) as Record<Verdict, Group>

function textsOf(verdict: Verdict): string[] {
  const { inArray, whole, repeated } = groups[verdict]
  return [
    ...inArray.map((text) => `[${text}]`),
    ...whole,
    ...repeated.map(([piece, count, end]) => piece.repeat(count) + end),
  ]
}

function bodyOf(text: string, place: Place): Buffer {
  const [content, field] = place === 'content' ? [text, '0'] : ['"Hi"', text]
  const whole = `{"model":"openai/echo","max_tokens":3,"x":${field},"messages":[{"role":"user","content":${content}}]}`
  return Buffer.from(place === 'body' ? text : whole, 'latin1')
}

/** What is wrong with an answer; null if it is as it must be. */
function complaintOf(verdict: Verdict, place: Place, { status, error }: Answer): string | null {
  const isCalledBad = status === 400 && /valid JSON|UTF-8|byte order|is empty/.test(error?.message ?? '')
  if (status !== 200 && status !== 400) return 'is neither taken nor refused'
  if (status === 400 && typeof error?.message !== 'string') return 'is refused without a message'
  if (verdict === 'accepted' && isCalledBad) return 'is called bad JSON'
  if (verdict === 'accepted' && place === 'field' && status !== 200) return 'may not stand in an unknown field'
  if (verdict === 'refused' && status !== 400) return 'is taken'
  return null
}

test('each JSON text at each place gets the answer that its grammar says, and the process lives', async (t) => {
  const simulator = await startSimulator(t, ['--tokens-per-second', '2000'])
  const gateway = await startGateway(t, { config: { providers: simulatedProviders(simulator.origin) } })
  const pool = new Pool(gateway.origin, { connections: IN_FLIGHT })
  t.teardown(() => pool.destroy())
  const { pid } = gateway
  const cases = VERDICTS.flatMap((verdict) =>
    textsOf(verdict).flatMap((text) =>
      PLACES.flatMap((place) => PATHS.map((path) => ({ verdict, text, place, path }))),
    ),
  )
  t.ok(cases.length > 1900, `${cases.length} cases`)
  const complaints: string[] = []
  async function ask(): Promise<void> {
    for (let next = cases.pop(); next !== undefined; next = cases.pop()) {
      const { verdict, text, place, path } = next
      const answer = await pool.request({
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: bodyOf(text, place),
      })
      const { error } = (await answer.body.json()) as { error?: { message: string } }
      const seen = error === undefined ? { status: answer.statusCode } : { status: answer.statusCode, error }
      const complaint = complaintOf(verdict, place, seen)
      if (complaint !== null) {
        complaints.push(`${verdict} ${JSON.stringify(text.slice(0, 60))} as ${place} of ${path} ${complaint}`)
      }
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, ask))
  t.same(complaints, [])
  t.equal(gateway.pid, pid)
  t.equal(gateway.child.exitCode, null, 'the process is alive')
  t.equal(gateway.complaints, '')
})

test('no JSON text leaves anything on a prototype, whoever decodes it', async (t) => {
  const codec = createCodec(PROTOCOLS)
  const poison = ['{"__proto__":{"x":1}}', '{"constructor":{"prototype":{"x":1}}}', '[{"__proto__":[{"x":1}]}]']
  const texts = [...VERDICTS.flatMap(textsOf), ...poison]
  for (const surface of SURFACES) {
    for (const text of texts) {
      for (const place of PLACES) {
        try {
          const bytes = new Uint8Array(bodyOf(text, place))
          const { json } = codec.decodeBody(surface.id, bytes)
          if (json !== null) surface.decodeRequest(json)
        } catch (thrown) {
          if (!(thrown instanceof GatewayError)) t.fail(`${text.slice(0, 60)} threw ${String(thrown)}`)
        }
      }
    }
  }
  t.equal(({} as { x?: number }).x, undefined)
  t.same(Object.keys(Object.prototype), [])
})
