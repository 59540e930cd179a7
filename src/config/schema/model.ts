// One entry of `models` of the configuration file, with its targets.
import { type Static, Type } from 'typebox'
import { concurrency, DAY_MS, flag, integer, MAX_WAIT_MS, MINUTE_MS, nullable, section } from './parts.js'
import { ExtraBody } from './provider.js'

function optionalMs(description: string) {
  return Type.Optional(Type.Integer({ minimum: 10, maximum: MAX_WAIT_MS, description }))
}

const Target = Type.Union(
  [
    Type.String({ minLength: 3, description: 'provider/model' }),
    section('One provider that serves the model.', {
      provider: Type.String({ minLength: 1, description: 'Name of a provider.' }),
      model: Type.String({ minLength: 1, maxLength: 256, description: 'Name of the model at the provider.' }),
      weight: Type.Number({
        default: 1,
        minimum: 0,
        maximum: 1000,
        description: 'Weight of this target when traffic is split; 0 for use only when others fail.',
      }),
      concurrency: concurrency(null, 'Maximum number of concurrent requests to this target; null for no limit.'),
      extraBody: ExtraBody,
      thinking: nullable(Type.Boolean(), 'Whether its model accepts thinking parameters; null to judge by its name.'),
      contextTokens: nullable(
        Type.Integer({ minimum: 1, maximum: 10_000_000 }),
        'Size of the context of its model: an answer that reports more input is charged by estimate; null if unknown.',
      ),
      maxOutputTokens: nullable(
        Type.Integer({ minimum: 1, maximum: 10_000_000 }),
        'Most output tokens of one answer of its model, which a cap for a budget never exceeds; null for that of the price list, or for what the provider says when it rejects one.',
      ),
    }),
  ],
  { description: 'A target: provider/model, or an object.' },
)

export const Model = Type.Union(
  [
    Type.String({ minLength: 3, description: 'provider/model' }),
    section('One model name that clients may use.', {
      targets: Type.Array(Target, { minItems: 1, description: 'Targets that serve the model.' }),
      fallbacks: Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        description: 'Configured models to try when all targets fail.',
      }),
      contextFallbacks: Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        description: 'Configured models to try when the request is too long for a target.',
      }),
      timeouts: section('Timeouts of this model; they replace those of its providers.', {
        firstTokenMs: optionalMs('Time to the first token, in ms.'),
        betweenTokensMs: optionalMs('Time between two tokens, in ms.'),
        totalMs: optionalMs('Time for the whole answer, in ms.'),
      }),
      hedge: nullable(
        section('Starts a second request when the first token of a stream is late.', {
          afterMs: optionalMs(
            'Delay of the first token that counts as late, in ms; with percentile, only until enough streams were seen.',
          ),
          percentile: Type.Optional(
            Type.Number({
              minimum: 50,
              maximum: 100,
              description: "Percentile of the model's recent times to the first token, above which one is late.",
            }),
          ),
          maxExtra: Type.Number({
            default: 0.05,
            minimum: 0,
            maximum: 1,
            description: 'Second requests as a fraction of all streams of the model.',
          }),
        }),
        'A second request for streams that begin late; null for none.',
      ),
      affinity: Type.Enum(['none', 'prefix'], {
        default: 'none',
        description:
          'prefix sends requests of one key that begin alike to the same target, where its prompt cache is warm.',
      }),
      coalesce: flag(
        false,
        'Whether a streaming request joins a stream of this process that already runs for the same request of the same key.',
      ),
      cache: nullable(
        section('Complete answers that are kept in memory for equal requests.', {
          ttlMs: integer({ minimum: 1000, maximum: DAY_MS }, MINUTE_MS, 'How long an answer is kept, in ms.'),
          scope: Type.Enum(['key', 'gateway'], {
            default: 'key',
            description:
              'Whose requests an answer serves: key for those of the same key, gateway for those of all keys, which shows each of them by header and timing what others have asked.',
          }),
        }),
        'An exact cache of complete answers; null for none.',
      ),
    }),
  ],
  { description: 'A model: provider/model, or an object.' },
)

export type ModelEntry = Static<typeof Model>
