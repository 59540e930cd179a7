// Images that a model makes. OpenAI has none on this wire; OpenRouter, and gateways like it, have them beside the text.
//
//   "images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,..."}}]        in a message, and in a delta
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { type MediaSource } from '../../model/request.js'
import { textOf } from '../scalars.js'

const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+);base64,/i

/** The images in a list; what is none is skipped. */
export function decodeImages(images: JsonValue | undefined): MediaSource[] {
  if (!isJsonArray(images)) return []
  return images.flatMap((image) => {
    const url = isJsonObject(image) && isJsonObject(image.image_url) ? textOf(image.image_url.url) : null
    return url === null ? [] : [sourceOf(url)]
  })
}

function sourceOf(url: string): MediaSource {
  const data = DATA_URL.exec(url)
  return data === null
    ? { kind: 'url', url }
    : { kind: 'base64', mediaType: (data[1] ?? '').toLowerCase(), base64: url.slice(data[0].length) }
}

/** One image of a list. */
export function encodeImage(source: MediaSource): JsonObject {
  const url = source.kind === 'url' ? source.url : `data:${source.mediaType};base64,${source.base64}`
  return { type: 'image_url', image_url: { url } }
}
