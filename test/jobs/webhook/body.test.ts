// The two bodies, to the member.
import { test } from 'tap'
import { encodeWebhookBody } from '../../../src/jobs/webhook/body.js'

test('a completed job: its id, its state and the answer as it is stored', (t) => {
  const response = '{"id":"chatcmpl-1","big":12345678901234567890,"choices":[]}'
  const body = Buffer.from(encodeWebhookBody('job_"1"', { status: 'completed', response })).toString()
  t.equal(body, `{"request_id":"job_\\"1\\"","status":"completed","response":${response}}`)
  t.end()
})

test('a failed job: message, type and attempts', (t) => {
  const error = { message: 'No "luck"', type: 'upstream_timeout', attempts: 3, secret: 'not told' }
  const body = Buffer.from(encodeWebhookBody('job_1', { status: 'error', error })).toString()
  t.same(JSON.parse(body), {
    request_id: 'job_1',
    status: 'error',
    error: { message: 'No "luck"', type: 'upstream_timeout', attempts: 3 },
  })
  t.end()
})
