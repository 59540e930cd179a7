// Recomputes a version 4 signature from the request as it arrived, as a cloud does: nothing of it comes from the code under test.
import { createHash, createHmac } from 'node:crypto'
import { type IncomingHttpHeaders } from 'node:http'

export type SignedRequest = {
  readonly method: string
  /** As in the request line. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export type Expected = {
  readonly region: string
  readonly service: string
  /** Access key id -> its secret and the token that belongs to it, if any. */
  readonly keys: ReadonlyMap<string, { readonly secret: string; readonly token: string | null }>
  /** The server's clock. */
  readonly nowMs: number
}

const FORM =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
const MAX_SKEW_MS = 300_000

/** Why it is not authorized; null if it is. */
export function faultOfSignature({ method, target, headers, body }: SignedRequest, expected: Expected): string | null {
  const [, id = '', day = '', region = '', service = '', names = '', signature = ''] =
    FORM.exec(headers.authorization ?? '') ?? []
  if (id === '') return 'no signature'
  const known = expected.keys.get(id)
  if (known === undefined) return 'unknown key'
  if (region !== expected.region || service !== expected.service) return `scope ${region} ${service}`
  const date = String(headers['x-amz-date'])
  if (Math.abs(timeOf(date) - expected.nowMs) > MAX_SKEW_MS) return 'skewed'
  if (date.slice(0, 8) !== day) return 'another day'
  if ((headers['x-amz-security-token'] ?? null) !== known.token) return 'token'
  const signed = names.split(';')
  const wanted = ['host', 'x-amz-date', ...(known.token === null ? [] : ['x-amz-security-token'])]
  if (!wanted.every((name) => signed.includes(name))) return `too little is signed: ${names}`
  const other = signed.find((name) => !['host', 'content-type'].includes(name) && !name.startsWith('x-amz-'))
  if (other !== undefined) return `${other} may be changed on the way, and is signed`
  const [path = '', query = ''] = target.split('?')
  const canonical = [
    method,
    path.split('/').map(encode).join('/'),
    query.split('&').sort().join('&'),
    ...signed.map((name) => `${name}:${String(headers[name]).trim().replace(/\s+/g, ' ')}`),
    '',
    names,
    sha256(body),
  ].join('\n')
  const scope = `${day}/${region}/${service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(Buffer.from(canonical))].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${known.secret}`))
  return hmac(key, text).toString('hex') === signature ? null : 'signature'
}

/** Each segment of the path once more, as it was sent. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function timeOf(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'))
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
