// POST /models/{model}:countTokens: the input tokens of a request, counted by the provider without running it.
// @see https://ai.google.dev/api/tokens
import { type JsonObject } from '../../../model/json.js'
import { readCount } from '../../../model/usage.js'
import { type EndpointDialect } from '../../endpoints/endpoint.js'
import { numberOf } from '../../scalars.js'
import { modelPath } from '../model-path.js'

/** Translated even for clients of this API: a body may repeat the name of the model, which is not the target's. */
export const counting: EndpointDialect = Object.freeze({
  wire: '',
  path: ({ model }) => `${modelPath(model)}:countTokens`,
  lacks: [],
  counting: {
    encodeRequest: (chat: JsonObject, { model }) => {
      const { contents = [], systemInstruction, tools, toolConfig } = chat
      const rest = { systemInstruction, tools, toolConfig }
      const named = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
      const request = { model: `models/${model.replace(/^models\//, '')}`, contents, ...named }
      return { generateContentRequest: request as JsonObject }
    },
    decodeResponse: (body: JsonObject) => numberOf(readCount(body.totalTokens)),
  },
})
