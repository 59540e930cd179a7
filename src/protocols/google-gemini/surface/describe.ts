// The OpenAPI description of generateContent and its streams.
import { type SurfaceDescription } from '../../contract/description.js'
import { bodySchema } from './schema.js'

/** @see https://ai.google.dev/api/generate-content */
export function describe(): SurfaceDescription {
  return {
    title: 'Gemini',
    summary: 'Generate content: one JSON answer, or a stream by streamGenerateContent, as SSE events with alt=sse',
    body: bodySchema(),
    examples: {
      text: { contents: [{ role: 'user', parts: [{ text: 'Tell me about rivers.' }] }] },
      configured: {
        systemInstruction: { parts: [{ text: 'Be brief.' }] },
        contents: [{ role: 'user', parts: [{ text: 'Tell me about rivers.' }] }],
        generationConfig: { maxOutputTokens: 200, temperature: 0.7 },
      },
      tools: {
        contents: [{ role: 'user', parts: [{ text: 'How high is the Elbe at Dresden?' }] }],
        tools: [
          {
            functionDeclarations: [
              {
                name: 'water_level',
                description: 'The water level at a gauge, in cm',
                parametersJsonSchema: {
                  type: 'object',
                  required: ['gauge'],
                  properties: { gauge: { type: 'string' } },
                },
              },
            ],
          },
        ],
      },
    },
    answer: {
      type: 'object',
      required: ['candidates'],
      properties: {
        candidates: {
          type: 'array',
          items: {
            type: 'object',
            required: ['content', 'index'],
            properties: {
              content: {
                type: 'object',
                required: ['parts', 'role'],
                properties: { parts: { type: 'array', items: { type: 'object' } }, role: { const: 'model' } },
              },
              finishReason: { type: 'string' },
              index: { type: 'integer' },
            },
          },
        },
        usageMetadata: {
          type: 'object',
          properties: { promptTokenCount: { type: 'integer' }, candidatesTokenCount: { type: 'integer' } },
        },
        modelVersion: { type: 'string' },
        responseId: { type: 'string' },
      },
    },
    operation: {
      parameters: [
        {
          name: 'key',
          in: 'query',
          schema: { type: 'string' },
          description: 'A gateway key, for clients that send it neither in x-goog-api-key nor in Authorization',
        },
      ],
    },
  }
}
