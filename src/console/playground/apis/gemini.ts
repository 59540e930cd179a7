// The Gemini API: the model is in the path, server-sent events without an end marker of their own; whole calls.
import { type ChatApi, type ChatReader, callOf, toolsMember } from '../chat-api.js'

const BEFORE = 'v1beta/models/'
const AFTER = ':streamGenerateContent?alt=sse'

export const GEMINI: ChatApi = {
  id: 'gemini',
  name: 'Gemini',
  framing: 'sse',
  // A slash in a name needs no code, and is easier to read without one.
  path: (model) => `${BEFORE}${model.split('/').map(encodeURIComponent).join('/')}${AFTER}`,
  body: ({ prompt, tools }) => ({ contents: [{ role: 'user', parts: [{ text: prompt }] }], ...toolsMember(tools) }),
  streams: (path) => path.startsWith(`/${BEFORE}`) && path.endsWith(AFTER),
  read: readContent,
  textOf: {
    JavaScript: "event.candidates?.[0]?.content?.parts?.map(({ text }) => text ?? '').join('') ?? ''",
    Python:
      '"".join(part.get("text", "") for each in event.get("candidates", []) for part in each.get("content", {}).get("parts", []))',
  },
}

type Content = {
  readonly candidates?: readonly {
    readonly content?: { readonly parts?: readonly Part[] }
    readonly finishReason?: string
  }[]
  readonly promptFeedback?: { readonly blockReason?: string }
  readonly usageMetadata?: { readonly candidatesTokenCount?: number; readonly thoughtsTokenCount?: number }
  readonly error?: { readonly message?: unknown }
}
type Part = {
  readonly text?: string
  readonly thought?: boolean
  readonly functionCall?: { readonly name?: string; readonly args?: unknown }
}

function readContent(data: string, reader: ChatReader): void {
  const { candidates = [], promptFeedback, usageMetadata, error } = JSON.parse(data) as Content
  if (error !== undefined) reader.fail(error.message)
  for (const { content, finishReason } of candidates) {
    for (const part of content?.parts ?? []) readPart(part, reader)
    if (finishReason !== undefined) endWith(finishReason, reader)
  }
  // A prompt that is refused has no candidate.
  if (promptFeedback?.blockReason !== undefined) endWith(promptFeedback.blockReason, reader)
  const { candidatesTokenCount, thoughtsTokenCount = 0 } = usageMetadata ?? {}
  if (candidatesTokenCount !== undefined) reader.usage(candidatesTokenCount + thoughtsTokenCount)
}

function readPart({ text = '', thought, functionCall: call }: Part, reader: ChatReader): void {
  reader.text(thought === true ? 'thinking' : 'answer', text)
  if (call !== undefined) reader.text('answer', `${callOf(call.name)}${JSON.stringify(call.args ?? {})}`)
}

/** The reason is the end: the API has no other marker. */
function endWith(reason: string, reader: ChatReader): void {
  reader.finish(reason)
  reader.close()
}
