// Bearer tokens from each of their sources, at an issuer that checks what it is given.
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { jwtVerify } from 'jose'
import { type Test, test } from 'tap'
import { type TokenSource } from '../../../src/config/credential-types.js'
import { obtainToken, readSecret } from '../../../src/upstream/credentials/tokens.js'
import { Issuer, type IssuerRoutes } from '../../helpers/issuer.js'

const NOW_MS = 1_800_000_000_000
const CONTEXT = { proxy: null, nowMs: () => NOW_MS }

async function open(t: Test, routes: IssuerRoutes): Promise<Issuer> {
  const issuer = await Issuer.listen(routes)
  t.teardown(() => issuer.close())
  return issuer
}

test('a form is sent with the members that are files, read anew each time', async (t) => {
  const file = join(t.testdir({}), 'assertion')
  const issuer = await open(t, { '/token': () => ({ body: { access_token: 'token-1', expires_in: 3600 } }) })
  const source: TokenSource = {
    ...{ from: 'form', url: `${issuer.origin}/token` },
    form: { grant_type: 'client_credentials', scope: 's' },
    files: { client_assertion: file },
  }
  for (const text of ['first', 'second']) {
    writeFileSync(file, `${text}\n`)
    t.same(await obtainToken(source, CONTEXT), { value: 'token-1', expiresAtMs: NOW_MS + 3_600_000 })
  }
  const forms = issuer.asked.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))
  t.same(forms, [
    { grant_type: 'client_credentials', scope: 's', client_assertion: 'first' },
    { grant_type: 'client_credentials', scope: 's', client_assertion: 'second' },
  ])
})

test('an assertion is signed for the token endpoint, for an hour', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const issuer = await open(t, {
    '/token': async ({ body }) => {
      const form = new URLSearchParams(body)
      t.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer')
      const { payload, protectedHeader } = await jwtVerify(form.get('assertion') ?? '', publicKey, {
        ...{ issuer: 'robot@project', audience: `${issuer.origin}/token`, algorithms: ['RS256'] },
        currentDate: new Date(NOW_MS),
      })
      t.same(protectedHeader, { alg: 'RS256', typ: 'JWT', kid: 'key-1' })
      t.match(payload, { scope: 'scope-1', iat: NOW_MS / 1000, exp: NOW_MS / 1000 + 3600 })
      return { body: { access_token: 'token-2', expires_in: 3599, token_type: 'Bearer' } }
    },
  })
  const source: TokenSource = {
    ...{ from: 'assertion', url: `${issuer.origin}/token`, issuer: 'robot@project', keyId: 'key-1', scope: 'scope-1' },
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
  t.same(await obtainToken(source, CONTEXT), { value: 'token-2', expiresAtMs: NOW_MS + 3_599_000 })
})

test('a metadata server is asked with its header; numbers may be texts, and only the end may be known', async (t) => {
  const answers = [
    { access_token: 'a', expires_in: '1800' },
    { access_token: 'b', expires_on: String(NOW_MS / 1000 + 60) },
    { access_token: 'c' },
  ]
  const issuer = await open(t, { '/token': () => ({ body: answers.shift() ?? {} }) })
  const source: TokenSource = {
    from: 'metadata',
    url: `${issuer.origin}/token?resource=r`,
    headers: { metadata: 'true' },
  }
  t.same(await obtainToken(source, CONTEXT), { value: 'a', expiresAtMs: NOW_MS + 1_800_000 })
  t.same(await obtainToken(source, CONTEXT), { value: 'b', expiresAtMs: NOW_MS + 60_000 })
  t.same(
    await obtainToken(source, CONTEXT),
    { value: 'c', expiresAtMs: NOW_MS + 300_000 },
    'five minutes if it says nothing',
  )
  t.match(issuer.asked[0], { method: 'GET', path: '/token?resource=r', headers: { metadata: 'true' } })
})

test('an answer without a token that a header can hold is a failure that does not quote it', async (t) => {
  const answers = [{}, { access_token: 7 }, { access_token: '' }, { access_token: 'canary\r\nx-evil: 1' }]
  const issuer = await open(t, { '/token': () => ({ body: answers.shift() ?? {} }) })
  const source: TokenSource = { from: 'metadata', url: `${issuer.origin}/token`, headers: {} }
  for (let i = 0; i < 4; i++) {
    await t.rejects(obtainToken(source, CONTEXT), { message: /^127\.0\.0\.1:\d+ sent no access_token$/ })
  }
})

test('a file that is not there is a failure that names it', async (t) => {
  await t.rejects(readSecret('/nowhere/token'), { message: 'the file /nowhere/token could not be read' })
})
