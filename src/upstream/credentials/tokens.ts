// Bearer tokens: obtained by a form (RFC 6749), by a signed assertion (RFC 7523), or from the metadata server of the machine.
import { readFile } from 'node:fs/promises'
import { type TokenSource } from '../../config/credential-types.js'
import { type JsonObject } from '../../model/json.js'
import { askIssuerForJson, CredentialsError, type IssuerRequest } from './issuer-request.js'
import { type Lease } from './renewing.js'

/** What a token is obtained with besides its source. */
export type TokenContext = { readonly proxy: string | null; readonly nowMs: () => number }

const ASSERTION_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** The longest life that issuers grant an assertion. */
const ASSERTION_SECONDS = 3600
/** RFC 6749 leaves the life of a token open; one that does not say is renewed often. */
const UNKNOWN_LIFE_SECONDS = 300
/** What can be sent in a header. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/

/** A new token. @throws CredentialsError */
export async function obtainToken(source: TokenSource, context: TokenContext): Promise<Lease<string>> {
  const answer = await askIssuerForJson(await requestFor(source, context))
  const token = answer.access_token
  if (typeof token !== 'string' || !TOKEN.test(token)) {
    throw new CredentialsError(`${new URL(source.url).host} sent no access_token`)
  }
  return { value: token, expiresAtMs: context.nowMs() + lifeOf(answer, context.nowMs()) * 1000 }
}

async function requestFor(source: TokenSource, { proxy, nowMs }: TokenContext): Promise<IssuerRequest> {
  const { url } = source
  switch (source.from) {
    case 'form':
      return { url, method: 'POST', form: await withFiles(source), proxy }
    case 'assertion': {
      const assertion = await signAssertion(source, Math.floor(nowMs() / 1000))
      return { url, method: 'POST', form: { grant_type: ASSERTION_GRANT, assertion }, proxy }
    }
    case 'metadata':
      return { url, method: 'GET', headers: source.headers }
  }
}

/** Members that are read anew each time: a platform renews these files. */
async function withFiles({ form, files }: Extract<TokenSource, { from: 'form' }>): Promise<Record<string, string>> {
  const filled = { ...form }
  for (const [member, file] of Object.entries(files)) filled[member] = await readSecret(file)
  return filled
}

/** A secret in a file that something else renews. @throws CredentialsError */
export async function readSecret(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new CredentialsError(`the file ${file} could not be read`, error)
  }
}

async function signAssertion(
  { url, issuer, keyId, privateKey, scope }: Extract<TokenSource, { from: 'assertion' }>,
  nowSec: number,
): Promise<string> {
  const { importPKCS8, SignJWT } = await import('jose')
  const key = await importPKCS8(privateKey, 'RS256')
  return new SignJWT({ scope })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(keyId === null ? {} : { kid: keyId }) })
    .setIssuer(issuer)
    .setAudience(url)
    .setIssuedAt(nowSec)
    .setExpirationTime(nowSec + ASSERTION_SECONDS)
    .sign(key)
}

/** In seconds. Some servers write numbers as text, and some only the time at which the token expires. */
function lifeOf({ expires_in: life, expires_on: end }: JsonObject, nowMs: number): number {
  const seconds = Number(life ?? Number.NaN)
  if (Number.isFinite(seconds)) return seconds
  const endSec = Number(end ?? Number.NaN)
  return Number.isFinite(endSec) ? endSec - nowMs / 1000 : UNKNOWN_LIFE_SECONDS
}
