// The vendor's error answers, by status.
import { test } from 'tap'
import { decodeError, refusesThinking } from '../../../src/protocols/ollama-chat/error.js'
import { ollamaChat } from '../../../src/protocols/ollama-chat/index.js'
import { dialectOf, fixture } from '../../helpers/dialect.js'

const dialect = dialectOf(ollamaChat)
const read = (status: number, name: string) => dialect.decodeError(status, fixture(`ollama-chat/errors/${name}`))

test('a model the server lacks has a code of its own, a missing route has not', (t) => {
  t.match(read(404, '404-model-not-found.json'), {
    code: 'upstream_rejected',
    status: 404,
    upstreamStatus: 404,
    upstreamCode: 'model_not_found',
    message: "model 'llama9' not found",
    retryable: false,
  })
  t.match(read(404, '404-page.txt'), { upstreamCode: null, message: '404 page not found' })
  t.end()
})

test('refusals keep their status, full queues and failures may be tried again', (t) => {
  t.match(read(400, '400-no-thinking.json'), { code: 'upstream_rejected', status: 400, retryable: false })
  t.match(read(401, '401-unauthorized.json'), {
    code: 'upstream_rejected',
    status: 401,
    upstreamStatus: 401,
    retryable: false,
    message: "The provider rejected the gateway's credentials.",
  })
  t.match(read(429, '429-cloud-limit.json'), { code: 'rate_limited', status: 429, retryable: true })
  t.match(read(503, '503-busy.json'), { code: 'upstream_overloaded', status: 503, retryable: true })
  t.match(read(500, '500-runner.json'), { code: 'upstream_rejected', status: 500, retryable: true })
  t.match(dialect.decodeError(504, Buffer.from('')), { code: 'upstream_timeout', status: 504, upstreamStatus: 504 })
  t.end()
})

test('an error object gives its message, and keys never appear', (t) => {
  const message = (body: string) => dialect.decodeError(400, Buffer.from(body)).message
  t.equal(message('{"error":{"message":"bad key sk-abcdefgh123"}}'), 'bad key ***')
  t.equal(message('{"error":{}}'), 'The provider rejected the request.')
  t.equal(message('{"oops":1}'), '{"oops":1}')
  t.end()
})

test('distinguishes a request that is too long from other invalid ones', (t) => {
  for (const error of [
    'the input length exceeds the context length',
    'input length exceeds maximum context length',
    'request (9000 tokens) exceeds the available context size (4096 tokens)',
  ]) {
    const { code } = dialect.decodeError(400, Buffer.from(JSON.stringify({ error })))
    t.equal(code, 'context_length_exceeded', error)
    const failed = dialect.decodeError(500, Buffer.from(JSON.stringify({ error })))
    t.match(failed, { code: 'upstream_rejected', retryable: true }, 'a failure of the server is no such refusal')
  }
  t.end()
})

test('distinguishes a refusal of thinking from others', async (t) => {
  const of = (error: string, status = 400) =>
    refusesThinking(decodeError(status, Buffer.from(JSON.stringify({ error }))))
  t.ok(of('"llama3.2" does not support thinking'))
  t.ok(of('think value "high" is not supported for this model'))
  t.notOk(of('"llama3.2" does not support tools'))
})
