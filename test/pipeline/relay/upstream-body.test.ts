// The collector of whole bodies.
import { test } from 'tap'
import { UpstreamBody } from '../../../src/pipeline/relay/upstream-body.js'
import { refusalOf } from '../../helpers/limiter-setup.js'

test('returns a single chunk unchanged and joins several, and is empty afterwards', async (t) => {
  const body = new UpstreamBody(100)
  const only = Buffer.from('one')
  body.push(only)
  t.equal(body.take(), only)
  body.push(Buffer.from('two, '))
  body.push(Buffer.from('three'))
  t.equal(body.take().toString(), 'two, three')
  t.equal(body.take().length, 0)
})

test('a body over the cap is malformed, and no other target is bothered with it', async (t) => {
  const body = new UpstreamBody(4)
  body.push(Buffer.from('1234'))
  t.match(
    refusalOf(() => body.push(Buffer.from('5'))),
    { code: 'upstream_malformed', retryable: false },
  )
})
