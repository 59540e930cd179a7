// The quirks of a server: of an entry of `providers`, and of the profiles in resources/providers.
import { Type } from 'typebox'
import { nullable, section } from './parts.js'

/** Any part of the quirks; profiles use it as well. */
export const QuirkOverrides = section('Where this server differs from its profile.', {
  maxTokensField: Type.Optional(
    Type.Enum(['max_tokens', 'max_completion_tokens'], { description: 'Name of the field that caps the output.' }),
  ),
  streamOptions: Type.Optional(Type.Boolean({ description: 'Whether it accepts stream_options.include_usage.' })),
  developerRole: Type.Optional(Type.Boolean({ description: 'Whether it accepts the role developer.' })),
  imageUrls: Type.Optional(Type.Boolean({ description: 'Whether it accepts images and documents by URL.' })),
  documents: Type.Optional(Type.Boolean({ description: 'Whether it accepts PDF documents.' })),
  jsonSchema: Type.Optional(
    Type.Enum(['json-schema', 'tool', 'json-object', 'none'], {
      description: 'How output by a JSON schema is requested.',
    }),
  ),
  reasoningRequest: Type.Optional(
    Type.Enum(['reasoning_effort', 'reasoning', 'none'], { description: 'Request field that enables reasoning.' }),
  ),
  reasoningField: Type.Optional(
    Type.Enum(['reasoning_content', 'reasoning'], { description: 'Response field that holds the reasoning text.' }),
  ),
  refusedFields: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      description: 'Request fields that this server rejects; they are left out.',
    }),
  ),
  doneMarker: Type.Optional(Type.Boolean({ description: 'Whether its streams end with an end marker.' })),
  maxTemperature: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 10,
      description: 'Highest temperature it accepts; higher ones are lowered to it.',
    }),
  ),
  defaultMaxTokens: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      description: 'Output cap to send where the API requires one and the request has none, in tokens.',
    }),
  ),
  deploymentApiVersion: Type.Optional(
    nullable(Type.String({ minLength: 1 }), 'Date for the api-version query parameter; null for none.'),
  ),
  // Without a default, which would replace what the profile says.
  rawPredictVersion: Type.Optional(
    Type.Union([Type.String({ minLength: 1 }), Type.Null()], {
      description: 'Version for the body of a server that has the model in the path, as :rawPredict; null for others.',
    }),
  ),
})
