// Identity providers over the generations of one event loop.
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportJWK, SignJWT } from 'jose'
import { test } from 'tap'
import { IdentityProviders } from '../../../src/gateway/accounts/identity-providers.js'
import { thrownBy } from '../../helpers/thrown.js'

const ISSUER = 'https://id.example.com'

function configOf(jwksFile: string) {
  const claims = { key: 'app', team: null, models: null, user: null }
  return {
    jwt: [
      { ...{ issuer: ISSUER, audience: 'sluice', jwksUrl: null, jwksFile }, algorithms: ['ES256'] as const, claims },
    ],
  }
}

test('without one nothing is made; with one its keys are read once, and kept over a reload that has lost the file', async (t) => {
  const failures: string[] = []
  let tell = (): void => undefined
  const failed = new Promise<void>((resolve) => {
    tell = resolve
  })
  const providers = new IdentityProviders({
    nowMs: () => performance.now(),
    onFailure: (place, reason) => {
      failures.push(`${place}: ${reason}`)
      tell()
    },
  })
  t.equal(providers.bearersOf({ jwt: [] }), null)
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const path = join(t.testdir(), 'keys.json')
  writeFileSync(path, JSON.stringify({ keys: [await exportJWK(publicKey)] }))
  const token = await new SignJWT({ app: 'one' })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(ISSUER)
    .setAudience('sluice')
    .setExpirationTime('5m')
    .sign(privateKey)
  const first = providers.bearersOf(configOf(path))
  t.equal(thrownBy(() => first?.find(token, 'digest')).code, 'overloaded', 'come again')
  for (;;) {
    try {
      t.match(first?.find(token, 'digest'), { keys: [{ name: 'one' }] })
      break
    } catch {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  writeFileSync(path, '{')
  t.match(providers.bearersOf(configOf(path))?.find(token, 'digest'), { keys: [{ name: 'one' }] })
  providers.bearersOf(configOf('/nowhere/keys.json'))
  await failed
  t.match(failures, [/^\/nowhere\/keys\.json: ENOENT/])
})
