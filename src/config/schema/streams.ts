// Kept streams and cached answers: `streams` of the configuration file.
import { Type } from 'typebox'
import { DAY_MS, GIB, HOUR_MS, integer, KIB, MAX_BUDGET_BYTES, MIB, MINUTE_MS, nullable, section } from './parts.js'

export const Streams = section('Streams that outlive the connection of their client.', {
  resume: Type.Enum(['never', 'ask', 'always'], {
    default: 'ask',
    description:
      'Which streams are kept so that a client may come back to them: none, those whose request has x-sluice-resume: 1, or all.',
  }),
  graceMs: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: HOUR_MS,
      description:
        'How long a kept stream goes on without a reader before its provider is cut off, in ms; by default 30000, and 5000 where resume is always.',
    }),
  ),
  keepMs: integer(
    { minimum: 0, maximum: DAY_MS },
    5 * MINUTE_MS,
    'How long a kept stream is held after its end, in ms.',
  ),
  drainMs: integer(
    { minimum: 0, maximum: DAY_MS },
    10 * MINUTE_MS,
    'How long a draining gateway goes on with kept streams whose readers have moved to another node, in ms; only where store is redis.',
  ),
  maxStreamBytes: integer(
    { minimum: 64 * KIB, maximum: GIB },
    4 * MIB,
    'Memory of one kept stream, in bytes, but at least server.maxReaderLagBytes; a longer one loses its beginning.',
  ),
  maxBytes: integer(
    { minimum: MIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Memory of all kept streams, in bytes, over the whole process; ended ones make room first, and without any a new stream is not kept.',
  ),
  maxBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    64 * MIB,
    'The same for one gateway key, which may also hold no more than it leaves free for the others.',
  ),
  maxCacheBytes: integer(
    { minimum: MIB, maximum: MAX_BUDGET_BYTES },
    64 * MIB,
    'Memory of cached answers (models.*.cache), in bytes, over the whole process; those used longest ago make room. Not used where cacheStore is redis.',
  ),
  cacheStore: Type.Enum(['memory', 'redis'], {
    default: 'memory',
    description:
      'Where answers are cached (models.*.cache): in the memory of each event loop, or in Redis, where all nodes find them.',
  }),
  store: Type.Enum(['memory', 'redis'], {
    default: 'memory',
    description: 'Where kept streams are held: in this process, or in Redis, from which any node serves them.',
  }),
  tokenSecret: nullable(
    Type.String({ minLength: 16, expects: 'a secret of 16 characters or more' }),
    'Secret that signs links to streams, at least 16 characters, the same on all nodes; null for a random one at each start.',
  ),
})
