// What the API's document says of the prompt stream, in either form of answer.
import { type SurfaceDescription } from '../contract/description.js'
import { MAX_MODEL_LENGTH } from './request.js'

/** Both surfaces are one operation there, told apart by the media type that is asked for. */
export function describe(): SurfaceDescription {
  return {
    title: 'Prompt stream',
    summary: 'A prompt; its answer is written as it comes, so that nothing on the way times out',
    body: {
      type: 'object',
      required: ['prompt'],
      properties: {
        model: {
          type: ['string', 'null'],
          maxLength: MAX_MODEL_LENGTH,
          description: 'Left out: the configured default model, else the first one listed',
        },
        prompt: { type: 'string', minLength: 1 },
      },
    },
    examples: {
      documented: { model: 'gpt-4o', prompt: 'Your instructions...' },
      'default model': { prompt: 'Tell me about rivers.' },
    },
    answer: {
      type: 'object',
      required: ['result'],
      properties: {
        result: { type: 'string' },
        error: { type: 'string', description: 'There if the answer broke off; then the result is not the whole one' },
      },
    },
    operation: {
      description:
        'The body is one JSON document, written piece by piece, with white space before it while the model is silent. With Accept: text/event-stream it comes as events of type delta, done and error.',
    },
  }
}
