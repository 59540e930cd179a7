// A multipart form as the simulator reads it, which trusts its clients: they are tests.
import { type JsonObject } from '../../model/json.js'

/** The boundary of a content type; null if it is not that of a form. */
export function boundaryOf(contentType: string): string | null {
  return /^multipart\/form-data;.*boundary="?([^";]+)"?/i.exec(contentType)?.[1] ?? null
}

/** Its fields as members of an object, and the lengths of its files by the names of their fields. */
export function readForm(body: Buffer, boundary: string): { fields: JsonObject; files: Record<string, number> } {
  const fields: JsonObject = {}
  const files: Record<string, number> = {}
  for (const part of body.toString('latin1').split(`--${boundary}`).slice(1, -1)) {
    const blank = part.indexOf('\r\n\r\n')
    const content = part.slice(blank + 4, -2)
    const name = /[; ]name="([^"]*)"/.exec(part.slice(0, blank))?.[1] ?? ''
    if (/filename/.test(part.slice(0, blank))) files[name] = content.length
    else fields[name] = Buffer.from(content, 'latin1').toString()
  }
  return { fields, files }
}

/** The file of a form with its name, and the other fields; null without a file. */
export function readFile(body: Buffer, boundary: string): { name: string; content: Buffer; fields: JsonObject } | null {
  for (const part of body.toString('latin1').split(`--${boundary}`).slice(1, -1)) {
    const blank = part.indexOf('\r\n\r\n')
    const name = /filename="([^"]*)"/.exec(part.slice(0, blank))?.[1]
    if (name === undefined) continue
    const content = Buffer.from(part.slice(blank + 4, -2), 'latin1')
    return { name, content, fields: readForm(body, boundary).fields }
  }
  return null
}
