// What an import could not carry over, or what its reader has to do. Never a value of the file: it may be a secret.
import { type JsonObject, type JsonValue } from '../../model/json.js'

export class ImportReport {
  readonly #lines: string[] = []

  /** In the order in which they were noted, each once. */
  get lines(): readonly string[] {
    return [...new Set(this.#lines)]
  }

  /** `path`: of the member in the imported file. */
  note(path: string, text: string): void {
    this.#lines.push(`${path}: ${text}`)
  }

  /** Notes each member that has no counterpart. */
  noteRest(path: string, members: JsonObject, known: ReadonlySet<string>): void {
    for (const [name, value] of Object.entries(members)) {
      if (!known.has(name) && !isEmpty(value)) this.note(`${path}.${name}`, 'not carried over')
    }
  }
}

/** A setting that is off or unset loses nothing. */
function isEmpty(value: JsonValue | undefined): boolean {
  return value === null || value === undefined || value === false || value === ''
}
