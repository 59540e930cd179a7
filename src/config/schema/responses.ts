// Stored answers: `responses` of the configuration file.
import { Type } from 'typebox'
import { DAY_MS, flag, GIB, integer, KIB, MAX_BUDGET_BYTES, MAX_CONCURRENCY, MIB, section, text } from './parts.js'

export const Responses = section('Answers of the Responses API that clients may continue and retrieve by their ids.', {
  store: Type.Enum(['memory', 'sqlite', 'redis', 'off'], {
    default: 'memory',
    description:
      'Where answers are stored: in the memory of this process, in a database file, in Redis, where all nodes find them, or nowhere, so that every request has to bring its whole conversation.',
  }),
  path: text('./data/responses.db', 'Database file of the sqlite store; created at start.'),
  retentionMs: integer({ minimum: 1000, maximum: 400 * DAY_MS }, DAY_MS, 'How long an answer is stored, in ms.'),
  maxBytes: integer(
    { minimum: MIB, maximum: MAX_BUDGET_BYTES },
    256 * MIB,
    'Size of all stored answers with their input, in bytes; the oldest of the key that stores the most make room.',
  ),
  maxBytesPerKey: integer(
    { minimum: KIB, maximum: MAX_BUDGET_BYTES },
    64 * MIB,
    'The same for one gateway key; an answer that alone is larger is not stored, as if the store were unavailable.',
  ),
  background: section(
    'Answers that run without their client (background): as jobs where they survive the process, else on each event loop.',
    {
      concurrency: integer(
        { minimum: 1, maximum: MAX_CONCURRENCY },
        16,
        'Maximum number that run at once; as jobs, in this process.',
      ),
      maxPending: integer(
        { minimum: 1, maximum: 1_000_000 },
        1000,
        'Maximum number that run or wait, or as jobs that wait; a request that exceeds it gets 503.',
      ),
      maxPendingPerKey: integer(
        { minimum: 1, maximum: 1_000_000 },
        100,
        'The same for one gateway key; a request that exceeds it gets 429.',
      ),
    },
  ),
  onStoreDown: Type.Enum(['fail', 'forward'], {
    default: 'fail',
    description:
      'What becomes of a complete answer that cannot be stored within a second: it ends with an error, or it is sent, with a line in the log, and cannot be continued.',
  }),
  webSocket: flag(
    true,
    'WebSocket mode on /v1/responses. False: an upgrade there is answered with 426, and clients send POST.',
  ),
  maxMessageBytes: integer(
    { minimum: KIB, maximum: GIB },
    8 * MIB,
    'Largest message on such a WebSocket, in bytes, and at most server.maxBodyBytes; each open socket reserves this much of the memory for arriving requests. Larger requests are sent by POST.',
  ),
})
