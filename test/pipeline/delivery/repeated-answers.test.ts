// A refusal in floods reads like every other one, though its form is made once.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type ErrorContext, errorAnswer } from '../../../src/pipeline/delivery/answer.js'
import { RepeatedAnswers } from '../../../src/pipeline/delivery/repeated-answers.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'

const SURFACES = [null, ...PROTOCOLS.flatMap(({ surface }) => surface ?? [])]

test('a shared error is answered as it is without a form, in all surfaces, whoever asks and how', async (t) => {
  const answers = new RepeatedAnswers()
  const detailed = new RepeatedAnswers()
  const { data } = GatewayError.shared('overloaded', { message: 'Too "late".', retryAfterMs: 1000 })
  for (const surface of SURFACES) {
    for (const hasKey of [false, true]) {
      for (const requestId of ['r-1', 'a:b_c.d', '$&']) {
        const headers = hasKey ? [['x-ratelimit-limit-requests', '5'] as const] : []
        const context: ErrorContext = {
          ...{ surface, requestId, headers, hasDetails: false },
          subject: { model: null, hasKey },
        }
        t.same(answers.of(data, context), errorAnswer(data, context), `${surface?.id} ${requestId}`)
        const more = { ...context, hasDetails: true }
        t.same(detailed.of(data, more), errorAnswer(data, more))
      }
    }
  }
})

test('an error of its own has an answer of its own', async (t) => {
  const answers = new RepeatedAnswers()
  const context = {
    ...{ surface: null, requestId: 'r', headers: [], hasDetails: false },
    subject: { model: null, hasKey: true },
  }
  for (const message of ['One.', 'Two.']) {
    const { data } = new GatewayError('rate_limited', { message })
    t.same(answers.of(data, context), errorAnswer(data, context))
  }
})
