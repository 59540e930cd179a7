// The one rule for content that a target does not accept. In the newest turn it is rejected with its path; in history and in tool results
// a line of text replaces it and it is named as dropped, so that a session with such a history can continue. Runs between decode and
// encode for every pair of different protocols; a dialect only declares what it can carry.
import { GatewayError } from '../../errors.js'
import {
  type ChatRequest,
  type FilePart,
  type ForeignPart,
  type MediaPart,
  type Message,
  type TextPart,
  type UserPart,
} from '../../model/request.js'

/** Whether a target can carry an image or document. */
export type Carries = (part: MediaPart) => boolean
/** The same of a file as well. */
export type CarriesContent = (part: MediaPart | FilePart) => boolean

/** The same request if everything can be carried. `dropped`: kinds of content that were replaced by text. */
export type FittedRequest = { readonly request: ChatRequest; readonly dropped: readonly string[] }

/**
 * `tried`: URLs that the gateway has tried to fetch; those still in the request could not be fetched.
 * @throws invalid_request with the path of content in the last turn that the target cannot carry
 */
export function fitContent(
  request: ChatRequest,
  carries: CarriesContent,
  tried: readonly Tried[] | null = null,
): FittedRequest {
  const fit: Fit = { carries, tried: tried ?? NONE_TRIED, dropped: new Set() }
  const { messages } = request
  if (!messages.some((message) => message.role !== 'assistant' && !isCarried(message, carries))) {
    return { request, dropped: NOTHING }
  }
  const last = newestTurn(messages)
  const fitted = messages.map((message, i) => fitMessage(message, { ...fit, isNewest: i === last }))
  return { request: { ...request, messages: fitted }, dropped: [...fit.dropped] }
}

const NOTHING: readonly string[] = Object.freeze([])
const NONE_TRIED: readonly Tried[] = Object.freeze([])

type Tried = { readonly url: string }
type Fit = {
  readonly carries: CarriesContent
  readonly tried: readonly Tried[]
  readonly dropped: Set<string>
  readonly isNewest?: boolean
}
/** Content that a target may not accept. */
type Misfit = MediaPart | FilePart | ForeignPart
type GivenMessage = Exclude<Message, { role: 'assistant' }>

/**
 * The turn that the client can still change: the last one, if it is the user's. Content after tool results belongs to an agent's
 * step, which no user can rewrite.
 */
function newestTurn(messages: readonly Message[]): number {
  const last = messages.length - 1
  return messages[last]?.role === 'user' && messages[last - 1]?.role !== 'tool' ? last : -1
}

function isCarried(message: GivenMessage, carries: CarriesContent): boolean {
  const isPartCarried = (part: UserPart) => isFit(part, carries)
  return message.role === 'user'
    ? message.content.every(isPartCarried)
    : message.content.every((result) => result.content.every(isPartCarried))
}

function isFit(part: UserPart, carries: CarriesContent): boolean {
  return part.type === 'text' || (part.type !== 'foreign' && carries(part))
}

function isMedia(part: Misfit): part is MediaPart {
  return part.type === 'image' || part.type === 'document'
}

function fitMessage(message: Message, fit: Fit): Message {
  if (message.role === 'assistant' || isCarried(message, fit.carries)) return message
  if (message.role === 'user') return { role: 'user', content: fitParts(message.content, fit) }
  const results = message.content.map((result) => ({ ...result, content: fitParts(result.content, fit) }))
  return { role: 'tool', content: results }
}

function fitParts(parts: readonly UserPart[], { carries, tried, dropped, isNewest }: Fit): UserPart[] {
  return parts.map((part) => {
    if (part.type === 'text' || isFit(part, carries)) return part
    if (isNewest === true) throw wasTried(part, tried) ? refuseUnfetched(part) : refuseContent(part)
    dropped.add(kindOf(part))
    return standIn(part)
  })
}

function wasTried(part: Misfit, tried: readonly Tried[]): boolean {
  return isMedia(part) && part.source.kind === 'url' && tried.some(({ url }) => isAt(part, url))
}

function isAt({ source }: MediaPart, url: string): boolean {
  return source.kind === 'url' && source.url === url
}

/** The reason of a failed fetch is not shown: it would reveal the network of the gateway to a client. */
function refuseUnfetched({ path }: Misfit): GatewayError {
  const message = `'${path}' could not be fetched: its URL must return a PNG, JPEG, GIF, WebP or PDF of the declared type, within the gateway's limits on size, number and time, from a public server and without a redirect.`
  return new GatewayError('invalid_request', { param: path, message, retryable: true })
}

/** The name of content in `dropped`. */
export function kindOf(part: Misfit): string {
  if (part.type === 'foreign') return part.kind
  if (part.type === 'file') return 'file'
  if (part.type === 'document') return 'document'
  return part.source.kind === 'url' ? 'image_url' : 'image'
}

/** The same for an image that a model has made, in a turn of its own. */
export const MADE_IMAGE_STAND_IN = '[image omitted: this model cannot read it]'
/** Its name in `dropped`. */
export const MADE_IMAGES = 'messages.images'

/** The text that the model reads in place of content. */
export function standIn(part: Misfit): TextPart {
  const what = isMedia(part) ? nameOf(part) : kindOf(part)
  return { type: 'text', text: `[${what} omitted: this model cannot read it]` }
}

function nameOf(part: MediaPart): string {
  if (part.type === 'image') return 'image'
  return part.name === null ? 'document' : `document ${JSON.stringify(part.name)}`
}

/** Another target may support it, so routing tries the next one. */
export function refuseContent(part: Misfit): GatewayError {
  const { path } = part
  const message = `'${path}' ${problemOf(part)}.`
  return new GatewayError('invalid_request', { param: path, message, retryable: true })
}

function problemOf(part: Misfit): string {
  if (part.type === 'file') {
    return 'names a file that is stored at another provider, which the provider of the chosen model cannot read: send its content'
  }
  if (part.type === 'foreign') {
    return `is of type ${JSON.stringify(part.kind)}, which the provider of the chosen model does not support`
  }
  const isByUrl = part.source.kind === 'url'
  if (part.type === 'image') {
    return isByUrl
      ? 'is an image by URL, which the provider of the chosen model does not accept: send its bytes in base64'
      : 'is an image, which the provider of the chosen model does not accept'
  }
  return `is a document${isByUrl ? ' by URL' : ''}, which the provider of the chosen model does not accept: send its text`
}
