import { createHash, randomBytes } from 'node:crypto'
import { test } from 'tap'
import { BrowserTokens, type TokenClaims } from '../../src/accounts/browser-tokens.js'

const SECRET = 'a secret of enough characters'
const DIGEST = createHash('sha256').update('sk-sluice-key').digest()
const CLAIMS: TokenClaims = {
  ...{ expiresAtMs: 700_000, models: ['fast', 'open*'], maxOutputTokens: 500, origin: 'https://app.example.com' },
  user: 'user-17',
}
const BARE: TokenClaims = { expiresAtMs: 700_000, models: null, maxOutputTokens: null, origin: null, user: null }

function tokensOf(...secrets: readonly (string | Uint8Array)[]): BrowserTokens {
  return new BrowserTokens({ secrets: () => secrets, nowMs: () => 100_000, random: randomBytes })
}

test('a token gives back what it was issued with, also to another node with the same secret', (t) => {
  for (const claims of [CLAIMS, BARE]) {
    const token = tokensOf(SECRET).issue(DIGEST, claims) ?? ''
    t.match(token, /^sk-sluice-token-[\w-]+\.[\w-]{43}$/, 'a token of HTTP as well')
    t.same(tokensOf(Buffer.from(SECRET)).read(token), { ...claims, digest: DIGEST })
  }
  t.not(tokensOf(SECRET).issue(DIGEST, BARE), tokensOf(SECRET).issue(DIGEST, BARE))
  t.end()
})

test('nothing of a token can be changed, and no other secret accepts it', (t) => {
  const tokens = tokensOf(SECRET)
  const token = tokens.issue(DIGEST, CLAIMS) ?? ''
  const [, payload = '', mac = ''] = /^sk-sluice-token-(.+)\.(.+)$/.exec(token) ?? []
  for (let i = 0; i < token.length; i++) {
    const other = token[i] === 'A' ? 'B' : 'A'
    t.equal(tokens.read(token.slice(0, i) + other + token.slice(i + 1)), null, `the character ${i}`)
  }
  const without = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), o: undefined }
  const widened = Buffer.from(JSON.stringify(without)).toString('base64url')
  for (const wrong of [
    `sk-sluice-token-${widened}.${mac}`,
    `${token}=`,
    token.slice(0, -1),
    `sk-sluice-token-${mac}`,
    '',
  ]) {
    t.equal(tokens.read(wrong), null)
  }
  t.equal(tokensOf('another secret of that length').read(token), null)
  t.equal(tokensOf().read(token), null)
  t.end()
})

test('the secret before is still accepted, and signs nothing', (t) => {
  const old = tokensOf('the former secret').issue(DIGEST, BARE) ?? ''
  const both = tokensOf(SECRET, 'the former secret')
  t.ok(both.read(old))
  t.equal(tokensOf('the former secret').read(both.issue(DIGEST, BARE) ?? ''), null)
  t.end()
})

test('a token is genuine before and after its expiry, and expired from that moment on', (t) => {
  let nowMs = 699_999
  const tokens = new BrowserTokens({ secrets: () => [SECRET], nowMs: () => nowMs, random: randomBytes })
  const token = tokens.read(tokens.issue(DIGEST, BARE) ?? '')
  t.equal(token && tokens.isExpired(token), false)
  nowMs = 700_000
  t.equal(token && tokens.isExpired(token), true)
  t.end()
})

test('nobody learns the digest of a key from its tokens', (t) => {
  const read = (token: string | null) =>
    Buffer.from(/token-(.+)\./.exec(token ?? '')?.[1] ?? '', 'base64url').toString()
  const [one, two] = [read(tokensOf(SECRET).issue(DIGEST, BARE)), read(tokensOf(SECRET).issue(DIGEST, BARE))]
  for (const form of ['hex', 'base64', 'base64url'] as const) t.notOk(one.includes(DIGEST.toString(form)))
  t.not(JSON.parse(one).k, JSON.parse(two).k)
  t.end()
})

test('as long as no secret is known none is issued; once it is there it signs', (t) => {
  const secrets: string[] = []
  const tokens = new BrowserTokens({ secrets: () => secrets, nowMs: () => 0, random: randomBytes })
  t.equal(tokens.issue(DIGEST, BARE), null)
  secrets.push(SECRET)
  t.type(tokens.issue(DIGEST, BARE), 'string')
  t.end()
})
