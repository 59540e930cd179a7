// Images and documents by URL, for a target that accepts only bytes, if the gateway may fetch them: first lists the URLs to fetch, then
// replaces them by the fetched content. Runs between decode and fit/content.ts, which handles the rest.
import { type ChatRequest, type MediaPart, type MediaSource, type Message, type UserPart } from '../../model/request.js'
import { type Carries } from './content.js'

/** The result for a URL; `source` is null if it could not be fetched. */
export type Attachment = { readonly url: string; readonly source: Extract<MediaSource, { kind: 'base64' }> | null }

const FETCHABLE = /^https?:\/\//i
/** Placeholder for the bytes, to check whether a target would accept them. */
const BYTES_OF = { image: 'image/png', document: 'application/pdf' } as const

/** The URLs of content that the target accepts only as bytes; those of the newest turn first. */
export function wantedUrls({ messages }: ChatRequest, carries: Carries): readonly string[] {
  const wanted = new Set<string>()
  for (let i = messages.length - 1; i >= 0; i--) {
    for (const part of partsOf(messages[i])) {
      if (isWanted(part, carries) && part.source.kind === 'url') wanted.add(part.source.url)
    }
  }
  return [...wanted]
}

/** The request with fetched content instead of its URLs; content of another kind than the client declared stays a URL. */
export function attach(request: ChatRequest, attachments: readonly Attachment[]): ChatRequest {
  const sources = new Map(attachments.map(({ url, source }) => [url, source]))
  const fill = (part: UserPart): UserPart => {
    if (!isMedia(part) || part.source.kind !== 'url') return part
    const source = sources.get(part.source.url) ?? null
    const isOfKind = source !== null && source.mediaType.startsWith('image/') === (part.type === 'image')
    return isOfKind ? { ...part, source } : part
  }
  const messages = request.messages.map((message): Message => {
    if (message.role === 'assistant') return message
    if (message.role === 'user') return { role: 'user', content: message.content.map(fill) }
    const content = message.content.map((result) => ({ ...result, content: result.content.map(fill) }))
    return { role: 'tool', content }
  })
  return { ...request, messages }
}

function partsOf(message: Message | undefined): readonly UserPart[] {
  if (message === undefined || message.role === 'assistant') return []
  return message.role === 'user' ? message.content : message.content.flatMap((result) => result.content)
}

function isMedia(part: UserPart): part is MediaPart {
  return part.type === 'image' || part.type === 'document'
}

function isWanted(part: UserPart, carries: Carries): part is MediaPart {
  if (!isMedia(part) || part.source.kind !== 'url') return false
  if (!FETCHABLE.test(part.source.url) || carries(part)) return false
  return carries({ ...part, source: { kind: 'base64', mediaType: BYTES_OF[part.type], base64: '' } })
}
