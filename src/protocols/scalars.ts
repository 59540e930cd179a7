// JSON values of unknown type, narrowed once: each function returns null for a missing value or one of another type.
import { type JsonValue } from '../model/json.js'

/** The value if it is a string. */
export function stringOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' ? value : null
}

/** The value if it is a string that is not empty. */
export function textOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** The value if it is a number. */
export function numberOf(value: JsonValue | undefined): number | null {
  return typeof value === 'number' ? value : null
}

/** The value if it is a boolean. */
export function booleanOf(value: JsonValue | undefined): boolean | null {
  return typeof value === 'boolean' ? value : null
}
