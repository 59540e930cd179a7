// Signatures: as the library of the specification makes and checks them, over both forms of a secret, and refused when old,
// altered or of another secret.
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { Webhook } from 'standardwebhooks'
import { test } from 'tap'
import { type SignedHead, signWebhook, verifyWebhook } from '../../../src/jobs/webhook/signature.js'
import { DOCS, fencedBlocks } from '../../helpers/markdown.js'

const PLAIN = 'a-plain-secret-of-ours'
const WHSEC = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const BODY = Buffer.from('{"request_id":"job_1","status":"completed","response":{"text":"Grüße 🌊"}}')
const NOW_SEC = Math.floor(Date.now() / 1000)

function headOf(secrets: readonly string[], timestampSec = NOW_SEC): SignedHead {
  const signature = signWebhook({ id: 'msg_1', timestampSec, body: BODY }, secrets)
  return { id: 'msg_1', timestamp: String(timestampSec), signature }
}

function reasonOf(head: SignedHead, body: Uint8Array = BODY, secrets: readonly string[] = [WHSEC]): string {
  const result = verifyWebhook(head, body, { secrets, nowSec: NOW_SEC })
  return result.ok ? 'ok' : result.reason
}

test('the library of the specification accepts what we sign, with either form of secret', (t) => {
  for (const [secret, library] of [
    [WHSEC, new Webhook(WHSEC)],
    [PLAIN, new Webhook(PLAIN, { format: 'raw' })],
  ] as const) {
    const { id, timestamp, signature } = headOf([secret])
    const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }
    t.same(library.verify(BODY.toString(), headers), JSON.parse(BODY.toString()))
    t.throws(() => library.verify(`${BODY} `, headers))
  }
  t.end()
})

test('we accept what the library signs', (t) => {
  const signature = new Webhook(WHSEC).sign('msg_1', new Date(NOW_SEC * 1000), BODY.toString())
  t.equal(reasonOf({ id: 'msg_1', timestamp: String(NOW_SEC), signature }), 'ok')
  t.end()
})

test('the example of the specification has the signature that it shows', (t) => {
  // standardwebhooks' own test vector.
  const message = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestampSec: 1614265330,
    body: Buffer.from('{"test": 2432232314}'),
  }
  t.equal(signWebhook(message, [WHSEC]), 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  t.end()
})

test('while a secret is replaced, receivers with the old and with the new one are both served', (t) => {
  const head = headOf([WHSEC, PLAIN])
  t.match(head.signature, /^v1,\S{44} v1,\S{44}$/)
  for (const secrets of [[WHSEC], [PLAIN], ['some-other-secret', PLAIN]]) t.equal(reasonOf(head, BODY, secrets), 'ok')
  t.equal(reasonOf(head, BODY, ['some-other-secret']), 'no signature matches')
  t.equal(reasonOf(head, BODY, []), 'no signature matches')
  t.end()
})

test('the signature covers id, timestamp and body', (t) => {
  const head = headOf([WHSEC])
  t.equal(reasonOf(head), 'ok')
  t.equal(reasonOf({ ...head, id: 'msg_2' }), 'no signature matches')
  t.equal(reasonOf({ ...head, timestamp: String(NOW_SEC - 1) }), 'no signature matches')
  t.equal(reasonOf(head, Buffer.from('{}')), 'no signature matches')
  t.equal(reasonOf({ ...head, signature: head.signature.replace('v1,', 'v2,') }), 'no signature matches')
  t.equal(reasonOf({ ...head, signature: `v1a,AAAA ${head.signature}` }), 'ok', 'other versions are passed over')
  t.end()
})

test('300 s to either side is in time, a second more is not', (t) => {
  t.equal(reasonOf(headOf([WHSEC], NOW_SEC - 300)), 'ok')
  t.equal(reasonOf(headOf([WHSEC], NOW_SEC + 300)), 'ok')
  t.equal(reasonOf(headOf([WHSEC], NOW_SEC - 301)), 'too old')
  t.equal(reasonOf(headOf([WHSEC], NOW_SEC + 301)), 'too new')
  t.end()
})

test('missing headers are malformed', (t) => {
  const head = headOf([WHSEC])
  const wrong = [
    { id: '' },
    { timestamp: '' },
    { timestamp: '1e9' },
    { timestamp: '-1' },
    { timestamp: ' 1' },
    { timestamp: '9'.repeat(16) },
    { signature: '' },
    { signature: 'v1,A '.repeat(1000) },
  ]
  for (const change of wrong)
    t.equal(reasonOf({ ...head, ...change }), 'malformed', JSON.stringify(change).slice(0, 40))
  t.equal(reasonOf({ ...head, signature: 'v1,' }), 'no signature matches')
  t.end()
})

test('the documented verification accepts our signatures and rejects others', async (t) => {
  const [block] = fencedBlocks(DOCS).filter(({ language }) => language === 'javascript')
  const file = `${t.testdir({})}/receiver.mjs`
  writeFileSync(file, block?.text ?? '')
  const { isGenuine } = (await import(pathToFileURL(file).href)) as {
    isGenuine(body: Uint8Array, headers: Readonly<Record<string, string>>, secret: string): boolean
  }
  const headersOf = ({ id, timestamp, signature }: SignedHead) => ({
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signature,
  })
  const headers = headersOf(headOf([WHSEC, PLAIN]))
  for (const secret of [WHSEC, PLAIN]) t.ok(isGenuine(BODY, headers, secret))
  t.notOk(isGenuine(BODY, headers, 'some-other-secret'))
  t.notOk(isGenuine(Buffer.from('{}'), headers, WHSEC))
  t.notOk(isGenuine(BODY, { ...headers, 'webhook-id': 'msg_2' }, WHSEC))
  t.notOk(isGenuine(BODY, headersOf(headOf([WHSEC], NOW_SEC - 301)), WHSEC))
  t.notOk(isGenuine(BODY, {}, WHSEC))
})
