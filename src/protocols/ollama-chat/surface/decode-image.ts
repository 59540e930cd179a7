// Images on this wire are base64 without a type, which other wires require: it follows from how the bytes begin.
import { type ImagePart } from '../../../model/request.js'

/** The first characters of each kind in base64. */
const BEGINNINGS: readonly (readonly [beginning: string, mediaType: string])[] = [
  ['iVBORw0KGgo', 'image/png'],
  ['/9j/', 'image/jpeg'],
  ['R0lGOD', 'image/gif'],
  ['UklGR', 'image/webp'],
]
const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+);base64,/
/** Of bytes that begin like none of them. */
const DEFAULT_TYPE = 'image/png'

/** An image as the client sent it; some send a data URL, which the server takes as well. */
export function decodeImage(text: string, path: string): ImagePart {
  const named = DATA_URL.exec(text)
  const base64 = named === null ? text : text.slice(named[0].length)
  const mediaType = named?.[1] ?? BEGINNINGS.find(([beginning]) => base64.startsWith(beginning))?.[1] ?? DEFAULT_TYPE
  return { type: 'image', source: { kind: 'base64', mediaType, base64 }, detail: null, path }
}
