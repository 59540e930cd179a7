// `sluice webhook verify`: verifies whether a received webhook was signed with a secret, to check a receiver that rejects valid
// webhooks or accepts invalid ones.
import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { type VerifyOptions } from '../../config/command-line.js'
import { refusal } from '../../config/validate/problem.js'
import { verifyWebhook } from './signature.js'

/** What the command needs from its process. A secret in the environment does not show in the list of processes. */
export type VerifyWorld = { readonly stdin: NodeJS.ReadableStream; readonly env: NodeJS.ProcessEnv }

/**
 * Resolves with the text to print for a valid signature.
 * @throws misconfigured with the reason why it is invalid, or what is missing
 */
export async function runWebhookVerify(options: VerifyOptions, world: VerifyWorld): Promise<string> {
  const secret = options.secret ?? world.env.WEBHOOK_SECRET ?? ''
  if (secret === '') throw refusal('no secret given: set WEBHOOK_SECRET or --secret')
  const body = options.bodyFile === null ? await buffer(world.stdin) : readBody(options.bodyFile)
  const nowSec = Math.floor(Date.now() / 1000)
  const result = verifyWebhook(options, body, { secrets: [secret], nowSec })
  if (result.ok)
    return `The signature is valid: ${options.id}, ${body.length} bytes, ${ageOf(options.timestamp, nowSec)} old.`
  const age = result.reason.startsWith('too') ? ` (${ageOf(options.timestamp, nowSec)} old, 300 s are allowed)` : ''
  throw refusal(`the webhook is invalid: ${result.reason}${age}`)
}

function ageOf(timestamp: string, nowSec: number): string {
  return `${nowSec - Number(timestamp)} s`
}

function readBody(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch {
    throw refusal(`the file ${file} cannot be read`)
  }
}
