// What a user or a tool sends, part by part -> canonical parts: text, images and documents; everything else is foreign, which no other
// wire carries.
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { type MediaSource, type UserPart } from '../../../model/request.js'
import { encodeTextDocument, isTextType } from '../../fit/text-document.js'
import { stringOf, textOf } from '../../scalars.js'
import { isStoredUri } from '../dialect/encode-contents.js'

const PDF = 'application/pdf'
const IMAGE_NAME = /\.(?:png|jpe?g|webp|gif|heic|heif)(?:[?#]|$)/i
const PDF_NAME = /\.pdf(?:[?#]|$)/i

/** One part of a user's turn; `path` is its dotted path. Null for one that is empty. */
export function decodeUserPart(part: JsonObject, path: string): UserPart | null {
  const { text, inlineData, fileData } = part
  if (isJsonObject(inlineData)) return decodeInline(inlineData, `${path}.inlineData`)
  if (isJsonObject(fileData)) return decodeFile(fileData, `${path}.fileData`)
  if (typeof text === 'string') return text === '' ? null : { type: 'text', text }
  const kind = Object.keys(part).find((member) => isJsonObject(part[member]))
  return kind === undefined ? null : { type: 'foreign', kind, path }
}

function decodeInline(data: JsonObject, path: string): UserPart {
  const mediaType = stringOf(data.mimeType) ?? ''
  const base64 = stringOf(data.data) ?? ''
  const name = textOf(data.displayName)
  if (isTextType(mediaType)) return encodeTextDocument({ text: Buffer.from(base64, 'base64').toString('utf8'), name })
  return media({ kind: 'base64', mediaType, base64 }, { mediaType, name, path })
}

function decodeFile(file: JsonObject, path: string): UserPart {
  const url = stringOf(file.fileUri) ?? ''
  const given = textOf(file.mimeType)
  if (isStoredUri(url)) return { type: 'file', wire: 'google-gemini', id: url, mediaType: given, path }
  const mediaType = given ?? (PDF_NAME.test(url) ? PDF : IMAGE_NAME.test(url) ? 'image/*' : '')
  return media({ kind: 'url', url }, { mediaType, name: textOf(file.displayName), path })
}

type About = { readonly mediaType: string; readonly name: string | null; readonly path: string }

/** Audio and video have no canonical form. */
function media(source: MediaSource, { mediaType, name, path }: About): UserPart {
  if (mediaType.startsWith('image/')) return { type: 'image', source, detail: null, path }
  if (mediaType === PDF) return { type: 'document', source, name, path }
  return { type: 'foreign', kind: mediaType === '' ? 'fileData' : mediaType, path }
}
