// Allowed targets of webhooks: the URL comes from a client, so it must point to a public address. upstream/strangers/public-url.ts
// has the rules.
import { GatewayError } from '../../errors.js'
import { checkPublicUrl, type GuardPolicy as PublicPolicy } from '../../upstream/strangers/public-url.js'

export type GuardPolicy = PublicPolicy

/**
 * The URL of a webhook, once nothing about its text speaks against it.
 * @throws invalid_request
 */
export function parseWebhookUrl(text: string, policy: GuardPolicy): URL {
  const { url, problem } = checkPublicUrl(text, policy)
  if (url !== null) return url
  throw new GatewayError('invalid_request', { message: `webhookUrl ${problem}.`, param: 'webhookUrl' })
}
