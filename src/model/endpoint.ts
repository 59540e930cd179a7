// The names of what providers offer besides chats. Each but the last is the end of its path on the wire that most of them share.

/** In the order of the documentation. */
export const ENDPOINT_IDS = [
  'embeddings',
  'completions',
  'moderations',
  'rerank',
  'images/generations',
  'images/edits',
  'images/variations',
  'audio/speech',
  'audio/transcriptions',
  'audio/translations',
  'files',
  'batches',
  /** The input tokens of a chat, counted by the provider. Each wire has a path of its own for it. */
  'input_tokens',
] as const

export type EndpointId = (typeof ENDPOINT_IDS)[number]

/** Those that are about what an account at the provider holds. */
export const RESOURCE_IDS: readonly EndpointId[] = Object.freeze(['files', 'batches'])
