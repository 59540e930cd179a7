// A cloud for tests, in front of the simulator: it checks each request's authorization as the real one would, refuses it in its words,
// and else passes it to the simulator under the simulator's own path. Its issuer gives tokens and temporary keys.
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { jwtVerify } from 'jose'
import { isJsonObject } from '../../src/model/json.js'
import { Issuer } from './issuer.js'
import { faultOfSignature } from './signature-verifier.js'

export const REGION = 'eu-central-1'
export const ROBOT = 'robot@my-project.example'
export const SECRETS = {
  apiKey: 'canary-api-key-0001',
  bearerKey: 'canary-bearer-key-0001',
  clientSecret: 'canary-client-secret-0001',
  accessKeyId: 'AKIAEXAMPLE000000001',
  secretAccessKey: 'canary/secret+access/0001',
  sessionToken: 'canary-session-token-0001',
  identityHeader: 'canary-identity-header-0001',
}

type Told = { readonly request: IncomingMessage; readonly body: Buffer }
type Check = (told: Told) => string | null

export type Cloud = {
  readonly origin: string
  readonly issuer: Issuer
  /** The key of the service account, PKCS #8 in PEM. */
  readonly privateKey: string
  /** Paths that passed their check, in order. */
  readonly passed: string[]
  /** Why requests were refused. */
  readonly refused: string[]
  /** How far its clock is ahead. */
  aheadMs: number
  /** Seconds that its tokens live. */
  lifeSec: number
  close(): Promise<void>
}

/** What the cloud calls a model -> the simulator's path and body. */
function translate(path: string, body: Buffer): { readonly path: string; readonly body: Buffer } {
  const [, publisher, model = '', method = ''] =
    /\/publishers\/(\w+)\/models\/([^:/]+):(\w+)/.exec(path.replace(/\?.*/, '')) ?? []
  const query = path.includes('?') ? path.slice(path.indexOf('?')) : ''
  if (publisher === 'google') return { path: `/v1beta/models/${model}:${method}${query}`, body }
  if (publisher === 'anthropic') {
    const json: unknown = JSON.parse(body.toString())
    if (!isJsonObject(json) || 'model' in json || json.anthropic_version !== 'vertex-2023-10-16') {
      throw new Error('the body of rawPredict has a version and no model')
    }
    if ((method === 'streamRawPredict') !== (json.stream === true))
      throw new Error(`${method} of stream ${json.stream}`)
    const { anthropic_version: _, ...rest } = json
    return { path: '/v1/messages', body: Buffer.from(JSON.stringify({ ...rest, model: decodeURIComponent(model) })) }
  }
  return { path: path.replace(/^\/(?:openai|anthropic)\/v1\//, '/v1/'), body }
}

/** Starts one in front of a simulator. */
export async function startCloud(simulator: string): Promise<Cloud> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const tokens = new Map<string, number>()
  const give = () => {
    const token = `canary-token-${tokens.size + 1}`
    tokens.set(token, Date.now() + cloud.lifeSec * 1000)
    return { body: { access_token: token, expires_in: cloud.lifeSec, token_type: 'Bearer' } }
  }
  const no = (error: string, said: string) => ({ status: 401, body: { error, error_description: `refused: ${said}` } })
  const issuer = await Issuer.listen({
    '/oauth/token': ({ body }) =>
      new URLSearchParams(body).get('client_secret') === SECRETS.clientSecret ? give() : no('invalid_client', body),
    '/google/token': async ({ body }) => {
      const options = { issuer: ROBOT, audience: `${issuer.origin}/google/token`, algorithms: ['RS256'] }
      try {
        await jwtVerify(new URLSearchParams(body).get('assertion') ?? '', publicKey, options)
        return give()
      } catch {
        return no('invalid_grant', body)
      }
    },
    '/metadata/token': ({ headers }) => (headers['metadata-flavor'] === 'Google' ? give() : no('invalid_request', '')),
    '/identity': ({ headers, path }) =>
      headers['x-identity-header'] === SECRETS.identityHeader && path.includes('resource=https%3A%2F%2Fcognitive')
        ? give()
        : no('invalid_request', JSON.stringify(headers)),
    '/container': () => ({
      body: {
        ...{ AccessKeyId: SECRETS.accessKeyId, SecretAccessKey: SECRETS.secretAccessKey, Token: SECRETS.sessionToken },
        Expiration: new Date(Date.now() + 3_600_000).toISOString(),
      },
    }),
  })
  const hasToken: Check = ({ request }) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    return (tokens.get(token) ?? 0) > Date.now() ? null : 'no valid token'
  }
  const isSigned =
    (token: string | null): Check =>
    ({ request, body }) => {
      const keys = new Map([[SECRETS.accessKeyId, { secret: SECRETS.secretAccessKey, token }]])
      const { method = '', url = '', headers } = request
      const expected = { region: REGION, service: 'bedrock', keys, nowMs: Date.now() + cloud.aheadMs }
      return faultOfSignature({ method, target: url, headers, body }, expected)
    }
  /** The first segment of the path selects how the caller must prove itself; the rest is the cloud's own path. */
  const checks: Readonly<Record<string, Check>> = {
    'by-api-key': ({ request }) => (request.headers['api-key'] === SECRETS.apiKey ? null : 'no api-key'),
    'by-bearer-key': ({ request }) =>
      request.headers.authorization === `Bearer ${SECRETS.bearerKey}` ? null : 'no bearer key',
    'by-token': hasToken,
    'by-signature': isSigned(null),
    'by-temporary-keys': isSigned(SECRETS.sessionToken),
    'by-nothing-at-all': () => 'never',
    // Says in the content of its answer what it was sent.
    'by-echo': () => null,
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const [, way = '', path = ''] = /^\/([\w-]+)(\/.*)$/.exec(request.url ?? '') ?? []
    const reason = checks[way]?.({ request, body }) ?? (way in checks ? null : 'no such way')
    const date = new Date(Date.now() + cloud.aheadMs).toUTCString()
    if (reason !== null) {
      cloud.refused.push(`${way}: ${reason}`)
      const message = `${reason}; you sent ${JSON.stringify(request.headers)}`
      response.writeHead(403, { date, 'content-type': 'application/json' }).end(JSON.stringify({ error: { message } }))
      return
    }
    if (way === 'by-echo') {
      const { authorization, 'x-amz-security-token': token } = request.headers
      const message = { role: 'assistant', content: `you sent <${authorization}> <${String(token)}>` }
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] }))
      return
    }
    const inner = translate(path, body)
    cloud.passed.push(path)
    const answer = await fetch(simulator + inner.path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
      body: new Uint8Array(inner.body),
    })
    response.writeHead(answer.status, { date, 'content-type': answer.headers.get('content-type') ?? '' })
    for await (const chunk of answer.body ?? []) response.write(chunk)
    response.end()
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      cloud.refused.push(String(error))
      response.writeHead(500).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cloud: Cloud = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    issuer,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    passed: [],
    refused: [],
    aheadMs: 0,
    lifeSec: 3600,
    async close() {
      server.closeAllConnections()
      server.close()
      await issuer.close()
    },
  }
  return cloud
}
