// Prices: `prices` of the configuration file.
import { type Static, Type } from 'typebox'
import { DAY_MS, dollars, dollarsOr, flag, integer, MINUTE_MS, nullable, section, text } from './parts.js'

/** Of tokens; in a tier those that cost something else. */
const TOKENS = {
  input: dollars('Dollars for a million input tokens.'),
  output: dollars('Dollars for a million output tokens.'),
  cacheRead: Type.Optional(
    dollars("Dollars for a million input tokens that came from the provider's cache; by default those of input."),
  ),
  cacheWrite: Type.Optional(
    dollars('Dollars for a million input tokens that were written into it; by default those of input.'),
  ),
  reasoning: Type.Optional(dollars('Dollars for a million output tokens of reasoning; by default those of output.')),
}

/** What one model costs. */
export const Price = section('What a model costs.', {
  ...TOKENS,
  longCacheWrite: dollarsOr('input tokens that were written into its cache for an hour', 'cacheWrite'),
  audioInput: dollarsOr('input tokens of audio', 'input'),
  imageInput: dollarsOr('input tokens of images', 'input'),
  videoInput: dollarsOr('input tokens of video', 'input'),
  cachedAudio: dollarsOr('input tokens of audio from the cache', 'cacheRead'),
  cachedImage: dollarsOr('input tokens of images from the cache', 'cacheRead'),
  audioOutput: dollarsOr('output tokens of audio', 'output'),
  imageOutput: dollarsOr('output tokens of images', 'output'),
  videoOutput: dollarsOr('output tokens of video', 'output'),
  request: Type.Optional(dollars('Dollars for a thousand requests, besides the tokens; by default none.')),
  image: Type.Optional(
    dollars('Dollars for an image that is made, besides the tokens; by default unknown where no tokens are counted.'),
  ),
  audioMinute: Type.Optional(
    dollars('Dollars for a minute of audio, by the second; by default unknown where no tokens are counted.'),
  ),
  tiers: Type.Optional(
    Type.Array(
      section('The price of longer requests.', {
        above: Type.Integer({
          minimum: 1,
          maximum: 10_000_000,
          description: 'Input tokens of a request, beyond which these prices apply.',
        }),
        ...TOKENS,
      }),
      { description: 'Prices of longer requests, for all of their tokens.' },
    ),
  ),
  marginalTiers: Type.Optional(
    Type.Boolean({
      description:
        'Whether the input prices of a tier are for the tokens above its bound alone. Output has the price of the whole request.',
    }),
  ),
  maxOutputTokens: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      description: 'Most output tokens of one answer of the model; by default those of the list.',
    }),
  ),
})

export type Price = Static<typeof Price>

export const Prices = section('Prices of models, for the cost of each request.', {
  enabled: flag(false, 'Whether the cost of each request is computed, for the log, the metrics and the clients.'),
  file: nullable(
    Type.String({ minLength: 1 }),
    'A price list in the form of genai-prices, in place of the one that comes with Sluice; read at start and at each reload.',
  ),
  url: nullable(
    Type.String({ pattern: '^https?://', expects: 'an http:// or https:// address' }),
    'Where a newer list of that form is downloaded from; null for nowhere.',
  ),
  refreshMs: integer({ minimum: MINUTE_MS, maximum: 30 * DAY_MS }, DAY_MS, 'Interval of the downloads, in ms.'),
  cache: text('./data/prices.json', 'File for the downloaded list, which has precedence over file while url is set.'),
  models: Type.Record(Type.String({ pattern: '^[^/\\s]+/\\S+$' }), Price, {
    default: {},
    description:
      "Prices of your own, by provider/model with `*` as wildcard; they precede the list's, the first match counts.",
  }),
  serviceTiers: Type.Record(
    Type.String({ pattern: '^[^/\\s]+/\\S+$' }),
    Type.Record(Type.String({ minLength: 1, maxLength: 32 }), Type.Number({ minimum: 0, maximum: 100 })),
    {
      default: {},
      description:
        "Multiples of the price where the provider reports another class of service, such as flex or priority, by provider/model with `*` as wildcard; they precede the list's, the first match counts.",
    },
  ),
  unknown: Type.Enum(['allow', 'reject', 'default'], {
    default: 'allow',
    description:
      'What becomes of a request to a target without a price: it is served without a cost and counted by a metric, the target is not used, or the default price applies.',
  }),
  default: nullable(Price, 'The price that applies where unknown is default.'),
})
