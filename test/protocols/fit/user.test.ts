// End users' ids: short ones as they are, long ones by their hash.
import { createHash } from 'node:crypto'
import { test } from 'tap'
import { endUserOf, fitUser } from '../../../src/protocols/fit/user.js'
import { PROTOCOLS } from '../../../src/protocols/index.js'
import { request, testTarget } from '../../helpers/targets.js'

/** As a coding agent writes it. */
const LONG = JSON.stringify({ device_id: 'd'.repeat(64), account_uuid: 'a'.repeat(36), session_id: 's'.repeat(36) })
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

test('an id that is longer than the vendor takes is its SHA-256, the same each time', async (t) => {
  t.equal(fitUser('u'.repeat(64), 64), 'u'.repeat(64))
  t.equal(fitUser('u'.repeat(65), 64), sha256('u'.repeat(65)))
  t.equal(fitUser(LONG, 64), fitUser(LONG, 64))
  t.equal(fitUser('', 64), '')
})

test('each wire gets an id that its vendor takes', async (t) => {
  const encode = (wire: string, user: string) => {
    const dialect = PROTOCOLS.find(({ id }) => id === wire)?.dialect
    return dialect?.encodeRequest(request({ user }), testTarget(wire)).body
  }
  t.equal(encode('openai-chat', LONG)?.user, sha256(LONG))
  t.equal(encode('openai-chat', 'short')?.user, 'short')
  t.same(encode('anthropic-messages', LONG)?.metadata, { user_id: LONG }, 'this one takes 256 characters')
  const longer = 'x'.repeat(257)
  t.same(encode('anthropic-messages', longer)?.metadata, { user_id: sha256(longer) })
})

test('the end user is found where each API has it, and cut where it is long', async (t) => {
  t.equal(endUserOf({ user: 'u-1' }), 'u-1')
  t.equal(endUserOf({ user: 'u-1', safety_identifier: 's-1' }), 's-1', 'which takes the place of user')
  t.equal(endUserOf({ metadata: { user_id: 'm-1' } }), 'm-1')
  t.equal(endUserOf({ user: 'x'.repeat(1000) })?.length, 256)
  const none = [
    {},
    { user: '' },
    { user: 7 },
    { user: null, metadata: null },
    { metadata: { user_id: {} } },
    { metadata: 'm' },
  ]
  for (const body of none) t.equal(endUserOf(body), null, JSON.stringify(body))
})
