// Tokens of links: what they allow, and all that they do not.
import { createHmac, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import { LINK_TTL_MS, LinkTokens } from '../../../src/streams/access/link-token.js'

const START_MS = 1_795_216_274_321
const SECRET = 'a secret of the operator'
const OWNER = 'ab'.repeat(32)
const OTHER = 'cd'.repeat(32)
const ID = 'str_00AAAAAAAAAAAAAAAAAAAAAA'
const STREAM = { id: ID, owner: OWNER }

function tokensAt(clock: { nowMs: number }, owners = [OTHER, OWNER], secret: string | Uint8Array = SECRET): LinkTokens {
  return new LinkTokens({ secret, owners, nowMs: () => clock.nowMs })
}

const ALWAYS = { nowMs: START_MS }

test('a token reads its own stream for 15 minutes', async (t) => {
  const clock = { nowMs: START_MS }
  const tokens = tokensAt(clock)
  const token = tokens.issue(STREAM)
  t.match(token, /^[A-Za-z0-9_.-]+$/, 'safe in a URL')
  t.equal(encodeURIComponent(token), token)
  t.equal(tokens.ownerOf(token, ID), OWNER)
  clock.nowMs = START_MS + LINK_TTL_MS - 1000
  t.equal(tokens.ownerOf(token, ID), OWNER, 'shortly before its end')
  clock.nowMs = START_MS + LINK_TTL_MS
  t.equal(tokens.ownerOf(token, ID), null, 'expired')
  t.equal(LINK_TTL_MS, 900_000)
})

test('a key of a database is named in its tokens, and has them as long as there is such a key', (t) => {
  const owner = 'key_0123456789ABCDEFGHIJ'
  const known = new Set([owner])
  const options = { secret: SECRET, owners: [OWNER], nowMs: () => START_MS }
  const tokens = new LinkTokens({ ...options, isAccount: (id) => known.has(id) })
  const token = tokens.issue({ id: ID, owner })
  t.match(token, /^[A-Za-z0-9_.-]+$/, 'safe in a URL')
  t.equal(tokens.ownerOf(token, ID), owner)
  t.equal(tokens.ownerOf(token, `${ID}A`), null)
  t.equal(tokens.ownerOf(token.replace(owner, 'key_0123456789ABCDEFGHIK'), ID), null)
  t.equal(tokens.ownerOf(tokens.issue(STREAM), ID), OWNER, 'keys of the file beside it')
  t.equal(new LinkTokens(options).ownerOf(token, ID), null, 'without a database')
  known.delete(owner)
  t.equal(tokens.ownerOf(token, ID), null)
  t.end()
})

test('gateways with the same secret accept each other, others do not', async (t) => {
  const token = tokensAt(ALWAYS).issue(STREAM)
  t.equal(tokensAt(ALWAYS).ownerOf(token, ID), OWNER)
  t.equal(tokensAt(ALWAYS, [OWNER], Buffer.from(SECRET)).ownerOf(token, ID), OWNER)
  t.equal(tokensAt(ALWAYS, [OWNER], 'another secret').ownerOf(token, ID), null)
})

test('a token dies with the key of its owner, and does not reveal it', async (t) => {
  const token = tokensAt(ALWAYS).issue(STREAM)
  t.equal(tokensAt(ALWAYS, [OTHER]).ownerOf(token, ID), null)
  t.equal(tokensAt(ALWAYS, []).ownerOf(token, ID), null)
  t.equal(tokensAt(ALWAYS, ['']).ownerOf(token, ID), null, 'nor does it read what belongs to all')
  t.notMatch(token, OWNER.slice(0, 8))
  const keyless = tokensAt(ALWAYS, [''])
  const open = keyless.issue({ id: ID, owner: '' })
  t.equal(keyless.ownerOf(open, ID), '')
  t.equal(tokensAt(ALWAYS).ownerOf(open, ID), null, 'once there are keys')
})

test('a token is of one stream and one owner, however its parts are mixed', async (t) => {
  const tokens = tokensAt(ALWAYS)
  const token = tokens.issue(STREAM)
  for (const id of ['', ID.replace('A', 'B'), ID.slice(0, -1), `${ID}a`, OWNER, ID + OWNER]) {
    t.equal(tokens.ownerOf(token, id), null, id)
  }
  const [expiry, , mac] = token.split('.')
  const [, tag] = tokens.issue({ id: ID, owner: OTHER }).split('.')
  t.equal(tokens.ownerOf(`${expiry}.${tag}.${mac}`, ID), null, 'the tag alone gives nothing')
})

test('no other text is a token: each character counts, and a later expiry is forged', async (t) => {
  const tokens = tokensAt(ALWAYS)
  const token = tokens.issue(STREAM)
  const [expiry = '', tag = '', mac = ''] = token.split('.')
  const wrong = ['', '.', '..', mac, `.${tag}.${mac}`, `${expiry}..${mac}`, `${expiry}.${tag}.`, `${expiry}.${tag}`]
  wrong.push(`${token}A`, `${token}=`, ` ${token}`, `${token}\n`, `zzzzzzz.${tag}.${mac}`, `0${token}`)
  wrong.push(`${expiry.toUpperCase()}.${tag}.${mac}`, `-1.${tag}.${mac}`)
  for (const text of wrong) t.equal(tokens.ownerOf(text, ID), null, JSON.stringify(text))
  const characters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.']
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom(...characters), (at, character) => {
      const changed = token.slice(0, at) + character + token.slice(at + 1)
      return changed === token || tokens.ownerOf(changed, ID) === null
    }),
    { numRuns: 2000 },
  )
})

test('the key is derived for this purpose: neither the bare secret nor another purpose or right signs a link', async (t) => {
  const tokens = tokensAt(ALWAYS)
  const [expiry = '', tag] = tokens.issue(STREAM).split('.')
  const sign = (key: string | Uint8Array, right: string): string => {
    const mac = createHmac('sha256', key)
    for (const part of [right, ID, OWNER, expiry]) mac.update(`${part.length}:${part}`)
    return `${expiry}.${tag}.${mac.digest('base64url')}`
  }
  const keyOf = (info: string): Uint8Array => new Uint8Array(hkdfSync('sha256', SECRET, '', info, 32))
  t.equal(tokens.ownerOf(sign(keyOf('sluice stream link 1'), 'read'), ID), OWNER, 'as documented above the class')
  t.equal(tokens.ownerOf(sign(keyOf('sluice stream link 1'), 'cancel'), ID), null)
  t.equal(tokens.ownerOf(sign(keyOf('another purpose'), 'read'), ID), null)
  t.equal(tokens.ownerOf(sign(SECRET, 'read'), ID), null)
})
