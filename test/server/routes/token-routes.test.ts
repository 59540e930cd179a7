import { type Test, test } from 'tap'
import { type FrontView, type TokenClaims } from '../../../src/server/context.js'
import { startFront } from '../../helpers/front.js'

type Asked = { readonly digest: string; readonly claims: TokenClaims }

/** A front end whose tokens say nothing, and what was asked of them. */
async function start(t: Test, issue: () => string | null = () => 'sk-sluice-token-a.b') {
  const asked: Asked[] = []
  const tokens: FrontView['tokens'] = {
    issue(digest, claims) {
      asked.push({ digest: digest.toString('hex'), claims })
      return issue()
    },
  }
  const { url, pipeline } = await startFront(t, { options: { tokens, issuesTokens: true } })
  const json = { 'content-type': 'application/json' }
  const post = (body: string, headers: Record<string, string> = { ...json, authorization: 'Bearer abcd' }) =>
    fetch(`${url}/v1/tokens`, { method: 'POST', headers, body })
  return { asked, pipeline, post, json }
}

test('a token lasts ten minutes, and nothing narrows it but what is asked for', async (t) => {
  const { asked, pipeline, post } = await start(t)
  pipeline.keys = ['abcd']
  const answer = await post('{}')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const { expiresAt, ...rest } = (await answer.json()) as { expiresAt: string }
  t.match(rest, { token: 'sk-sluice-token-a.b', models: null, maxOutputTokens: null, origin: null })
  t.match(asked, [{ digest: 'abcd', claims: { models: null, maxOutputTokens: null, origin: null } }])
  const expiresAtMs = asked[0]?.claims.expiresAtMs ?? 0
  t.equal(Date.parse(expiresAt), expiresAtMs)
  t.equal(expiresAtMs % 1000, 0)
  const claims = { expiresInSeconds: 60, models: ['a*'], maxOutputTokens: 16, origin: 'http://localhost:8080' }
  t.equal((await post(JSON.stringify(claims))).status, 200)
  const { expiresInSeconds: _, ...narrower } = claims
  t.match(asked[1]?.claims, narrower)
})

test('a gateway without keys, or as yet without a secret, issues none', async (t) => {
  const { pipeline, post, json } = await start(t, () => null)
  t.match([(await post('{}', json)).status, pipeline.rejections.at(-1)?.error.data.code], [403, 'forbidden'])
  pipeline.keys = ['abcd']
  t.match([(await post('{}')).status, pipeline.rejections.at(-1)?.error.data.code], [503, 'overloaded'])
  t.equal((await post('[]')).status, 400)
})
