// Images and documents in requests: `content` of the configuration file.
import { Type } from 'typebox'
import { integer, MAX_BUDGET_BYTES, MIB, MINUTE_MS, section } from './parts.js'

export const Content = section('Images and documents in requests.', {
  fetch: section('Fetching of images and documents given by URL, for providers that accept only bytes.', {
    enabled: Type.Boolean({
      default: false,
      description: 'Whether they are fetched; otherwise they are content that the provider cannot take.',
    }),
    maxBytes: integer({ minimum: 1024, maximum: 64 * MIB }, 5 * MIB, 'Largest image or document, in bytes.'),
    maxCount: integer({ minimum: 1, maximum: 100 }, 8, 'Maximum number per request; the newest are fetched first.'),
    timeoutMs: integer({ minimum: 100, maximum: MINUTE_MS }, 5000, 'Total time for each, in ms.'),
    // At least room for the connections of `maxCount` fetches.
    maxHeldBytes: integer(
      { minimum: 8 * MIB, maximum: MAX_BUDGET_BYTES },
      256 * MIB,
      'Memory for what is being fetched, or is held in base64 until its answer begins, in bytes, for the whole process; exceeding it is 503.',
    ),
    maxHeldBytesPerKey: integer(
      { minimum: 8 * MIB, maximum: MAX_BUDGET_BYTES },
      64 * MIB,
      'The same for one gateway key, which may also hold no more than it leaves free for the others; exceeding it is 429.',
    ),
    allowInsecure: Type.Boolean({ default: false, description: 'Allow http:// as well as https:// URLs.' }),
    allowPrivateNetworks: Type.Boolean({
      default: false,
      description: 'Allow addresses of this machine and of private networks.',
    }),
  }),
})
