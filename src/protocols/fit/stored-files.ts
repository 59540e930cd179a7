// Files that are stored at the provider, which a request names by an id. All keys of the gateway share the operator's account there, and
// nothing in it is recorded for one of them, so such a request is rejected before any upstream sees it; with a caller's own key of the
// provider it passes. A dialect says where its files are named.
import { GatewayError } from '../../errors.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'

export type StoredFiles = {
  /** Names of members of which every such file has one. */
  readonly members: readonly string[]
  /** The top-level member that holds the conversation. */
  readonly turns: string
  /** Members with the client's own values, in which nothing names a file. */
  readonly values: ReadonlySet<string>
  /** The dotted path below this object of a file that it names; null for none. */
  readonly nameIn: (object: JsonObject) => string | null
}

/** @throws invalid_request with the path of the first stored file in the conversation */
export function refuseStoredFiles(body: JsonObject, files: StoredFiles): void {
  const path = find(body[files.turns], files.turns, files)
  if (path !== null) throw refuseStored(path)
}

/** The code is the one of OpenAI's newer API, where the same rule holds. */
export function refuseStored(path: string): GatewayError {
  const message = `'${path}' is not supported: what it names is stored at the provider, whose account is shared. Send the content.`
  return new GatewayError('invalid_request', { param: path, message, ownCode: 'unsupported_parameter' })
}

function find(value: JsonValue | undefined, path: string, files: StoredFiles): string | null {
  if (isJsonArray(value)) {
    for (const [i, inner] of value.entries()) {
      const found = find(inner, `${path}.${i}`, files)
      if (found !== null) return found
    }
    return null
  }
  if (!isJsonObject(value)) return null
  const named = files.nameIn(value)
  if (named !== null) return `${path}.${named}`
  for (const [member, inner] of Object.entries(value)) {
    const found = files.values.has(member) ? null : find(inner, `${path}.${member}`, files)
    if (found !== null) return found
  }
  return null
}
