// Token estimates: bytes / 4, images apart.
import { test } from 'tap'
import {
  countAnswers,
  estimateInputTokens,
  estimateRequestTokens,
  estimateTokens,
  TOKENS_PER_IMAGE,
} from '../../src/model/estimate.js'
import { type JsonObject } from '../../src/model/json.js'

const bytesOf = (body: JsonObject) => JSON.stringify(body).length
const estimate = (body: JsonObject) => estimateRequestTokens(bytesOf(body), body)

test('takes four bytes for a token', async (t) => {
  t.equal(estimateTokens(0), 0)
  t.equal(estimateTokens(9), 3)
  t.equal(estimateInputTokens(4000, 3600, 2), 100 + 2 * TOKENS_PER_IMAGE)
  t.equal(estimateInputTokens(10, 20), 0)
  t.equal(estimateRequestTokens(400_000, null), 100_000)
})

test('counts an image in base64 as an image, wherever it stands', async (t) => {
  const base64 = Buffer.alloc(30_000, 'picture').toString('base64')
  for (const body of [
    { messages: [{ content: [{ image_url: { url: `data:image/png;base64,${base64}` } }] }] },
    { messages: [{ content: [{ source: { data: base64 } }] }] },
    { messages: [{ images: [base64], content: null, n: 1, b: true }] },
  ]) {
    const tokens = estimate(body)
    t.ok(tokens >= TOKENS_PER_IMAGE && tokens < TOKENS_PER_IMAGE + 50, `${tokens}`)
  }
})

test('counts long prose as text', async (t) => {
  const body = { messages: [{ content: 'some words, and more. '.repeat(1000) }] }
  t.equal(estimate(body), estimateTokens(bytesOf(body)))
})

test('does not walk small bodies', async (t) => {
  const trap = new Proxy<JsonObject>({}, { ownKeys: () => t.fail('walked') as never })
  t.equal(estimateRequestTokens(4000, trap), 1000)
})

test('the answers of a request are the greatest of its fields, and one without any', (t) => {
  t.equal(countAnswers([]), 1)
  t.equal(countAnswers([undefined, null, '9', 2.5, 0, -3]), 1)
  t.equal(countAnswers([2, undefined, 5]), 5)
  t.end()
})
