// OpenAI's endpoints besides chats, one row each. Providers of the same wire get the client's bytes with the name of their model; for
// embeddings there are translations to other wires.
import { countAnswers } from '../../model/estimate.js'
import { type JsonObject } from '../../model/json.js'
import { type Surface } from '../contract/protocol.js'
import { asAsked, decodeRequest, encodeResponse, hasTokens, isAsAsked, readEcho } from '../openai-embeddings.js'
import { numberOf } from '../scalars.js'
import { createEndpointSurface, type EndpointRow } from './surface.js'

/** What a completion without a cap generates. @see https://platform.openai.com/docs/api-reference/completions */
const DEFAULT_COMPLETION_TOKENS = 16

/** In the order of the documentation. */
const ROWS: readonly EndpointRow[] = [
  {
    id: 'embeddings',
    surfaceId: 'openai-embeddings',
    title: 'OpenAI embeddings',
    summary: 'Make vectors of texts',
    isRepeatable: true,
    readNeeds: (body) => (hasTokens(body) ? ['tokens'] : []),
    embeddings: { decodeRequest, readEcho, encodeResponse, isAsAsked, asAsked },
    members: {
      input: 'A text, a list of texts, or one or several lists of tokens, which not every provider accepts',
      encoding_format: '`float` or `base64`',
      dimensions: 'Length of each vector',
    },
    example: { model: 'text-embedding-3-small', input: ['river', 'sea'] },
  },
  {
    id: 'completions',
    surfaceId: 'openai-completions',
    title: 'OpenAI completions',
    summary: 'Continue a prompt',
    needsMarker: true,
    asksStream,
    readOutput: (body) => ({
      maxOutputTokens: numberOf(body.max_tokens) ?? DEFAULT_COMPLETION_TOKENS,
      answers: countAnswers([body.n, body.best_of]),
    }),
    members: { prompt: 'A text or several', max_tokens: 'Cap of the output, 16 by default', stream: 'As a stream' },
    example: { model: 'gpt-3.5-turbo-instruct', prompt: 'The river', max_tokens: 16, stream: true },
  },
  {
    id: 'moderations',
    surfaceId: 'openai-moderations',
    title: 'OpenAI moderations',
    summary: 'Judge whether texts or images are harmful',
    defaultModel: 'omni-moderation-latest',
    isRepeatable: true,
    members: { input: 'A text, a list of texts, or a list of parts' },
    example: { model: 'omni-moderation-latest', input: 'A quiet river' },
  },
  {
    // Not OpenAI's, but of servers that speak its other APIs: vLLM, llama.cpp, Together, Fireworks.
    id: 'rerank',
    surfaceId: 'openai-rerank',
    title: 'Rerank',
    summary: 'Sort documents by their relevance to a query',
    isRepeatable: true,
    members: { query: 'A text', documents: 'A list of texts', top_n: 'Number of results' },
    example: { model: 'bge-reranker', query: 'water', documents: ['The river', 'The desert'], top_n: 1 },
  },
  {
    id: 'images/generations',
    surfaceId: 'openai-image-generations',
    units: 'images',
    title: 'OpenAI images',
    summary: 'Make an image by a prompt',
    defaultModel: 'dall-e-2',
    asksStream,
    members: { prompt: 'A text', stream: 'As a stream of events' },
    example: { model: 'gpt-image-1', prompt: 'A river at night', size: '1024x1024' },
  },
  {
    id: 'images/edits',
    surfaceId: 'openai-image-edits',
    units: 'images',
    title: 'OpenAI images',
    summary: 'Edit images by a prompt',
    form: 'images',
    defaultModel: 'dall-e-2',
    asksStream,
    members: { image: 'A file or several', mask: 'A file', prompt: 'A text', stream: 'As a stream of events' },
    example: { model: 'gpt-image-1', prompt: 'A river at night' },
  },
  {
    id: 'images/variations',
    surfaceId: 'openai-image-variations',
    units: 'images',
    title: 'OpenAI images',
    summary: 'Vary an image',
    form: 'images',
    defaultModel: 'dall-e-2',
    members: { image: 'A file', n: 'Number of images' },
    example: { model: 'dall-e-2' },
  },
  {
    id: 'audio/speech',
    surfaceId: 'openai-speech',
    title: 'OpenAI audio',
    summary: 'Speak a text',
    asksStream: () => true,
    members: { input: 'A text', voice: 'The voice', stream_format: '`sse` for a stream of events' },
    bytes: 'audio/mpeg',
    example: { model: 'gpt-4o-mini-tts', input: 'The river', voice: 'alloy' },
  },
  {
    id: 'audio/transcriptions',
    surfaceId: 'openai-transcriptions',
    units: 'audio',
    title: 'OpenAI audio',
    summary: 'Write down speech',
    form: 'audio',
    asksStream,
    bytes: 'text/plain',
    members: { file: 'A file', response_format: 'Form of the answer', stream: 'As a stream of events' },
    example: { model: 'gpt-4o-transcribe' },
  },
  {
    id: 'audio/translations',
    surfaceId: 'openai-translations',
    units: 'audio',
    title: 'OpenAI audio',
    summary: 'Write down speech in English',
    form: 'audio',
    bytes: 'text/plain',
    members: { file: 'A file', response_format: 'Form of the answer' },
    example: { model: 'whisper-1' },
  },
]

function asksStream({ stream }: JsonObject): boolean {
  return stream === true
}

/** The surfaces of all rows. */
export const openaiEndpoints: readonly Surface[] = Object.freeze(ROWS.map(createEndpointSurface))
