// `sluice webhook verify` as its user runs it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { test } from 'tap'
import { runWebhookVerify } from '../../../src/jobs/webhook/command.js'
import { MAIN } from '../../helpers/gateway.js'
import { rejectionOf } from '../../helpers/thrown.js'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const BODY = '{"request_id":"job_1"}\n'
const NOW_SEC = Math.floor(Date.now() / 1000)
const OPTIONS = {
  id: 'msg_1',
  timestamp: String(NOW_SEC),
  signature: new Webhook(SECRET).sign('msg_1', new Date(NOW_SEC * 1000), BODY),
  secret: SECRET,
  bodyFile: null,
}

async function run(args: readonly string[], body: string, env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, 'webhook', 'verify', ...args], { env: { ...env } })
  child.stdin.end(body)
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { out, err, code }
}

test('body by standard input, secret by the environment: exit 0 and one line, or 1 and the reason', async (t) => {
  const args = ['--id', OPTIONS.id, '--timestamp', OPTIONS.timestamp, '--signature', OPTIONS.signature]
  const [good, bad] = await Promise.all([
    run(args, BODY, { WEBHOOK_SECRET: SECRET }),
    run(args, `${BODY} `, { WEBHOOK_SECRET: SECRET }),
  ])
  t.match(good, { code: 0, out: /^The signature is valid: msg_1, 23 bytes, \d s old\.\n$/, err: '' })
  t.same(bad, { code: 1, out: '', err: 'sluice: the webhook is invalid: no signature matches\n' })
})

test('reads the body from a file, reports what is missing or too old, and never prints the secret', async (t) => {
  const folder = t.testdir({ body: BODY })
  const world = { stdin: process.stdin, env: {} }
  const options = { ...OPTIONS, bodyFile: `${folder}/body` }
  t.match(await runWebhookVerify(options, world), /^The signature is valid/)
  const cases = [
    [{ ...options, secret: null }, /no secret given/],
    [{ ...options, bodyFile: '/nowhere' }, /\/nowhere cannot be read/],
    [{ ...options, timestamp: String(NOW_SEC - 400) }, /too old \(40\d s old, 300 s are allowed\)/],
    [{ ...options, timestamp: String(NOW_SEC + 400) }, /too new/],
    [{ ...options, secret: 'another-secret-0123' }, /no signature matches/],
  ] as const
  for (const [given, message] of cases) {
    const refusal = await rejectionOf(runWebhookVerify(given, world))
    t.match(refusal.message, message)
    t.notMatch(refusal.message, SECRET)
  }
})
