// Signature version 4 of one request. Signed are host, content-type and the x-amz headers alone: others may be changed on the way.
// @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
import { type SigningKeys } from './keys.js'

export type Signable = {
  readonly method: string
  readonly url: string
  /** Lower-case names; each is signed. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type SigningScope = {
  readonly region: string
  readonly service: string
  /** Unix time in ms, by the server's clock. */
  readonly nowMs: number
  /** Derived keys by secret, day, region and service; the caller holds it as long as the keys. */
  readonly cache: Map<string, ArrayBuffer>
}

/** Set by the connection. */
const NOT_ADDED: ReadonlySet<string> = new Set(['host'])

/** The headers that the signature adds, flat; `given` headers are not repeated. */
export async function sign(
  { method, url, headers, body }: Signable,
  keys: SigningKeys,
  { region, service, nowMs, cache }: SigningScope,
): Promise<readonly string[]> {
  const { AwsV4Signer } = await import('aws4fetch')
  const { accessKeyId, secretAccessKey, sessionToken } = keys
  const signer = new AwsV4Signer({
    ...{ method, url, headers: { ...headers }, body, region, service, cache, accessKeyId, secretAccessKey },
    ...(sessionToken === null ? {} : { sessionToken }),
    datetime: toAmzDate(nowMs),
    allHeaders: true,
  })
  const signed = await signer.sign()
  return [...signed.headers].flatMap(([name, value]) =>
    NOT_ADDED.has(name) || Object.hasOwn(headers, name) ? [] : [name, value],
  )
}

/** ISO 8601, basic format: `20150830T123600Z`. */
function toAmzDate(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/[:-]|\.\d{3}/g, '')
}
