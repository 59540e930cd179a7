// Values that upstreams have put, or might put, where a token count belongs; as a value and as the text of a JSON body.
import { type JsonValue } from '../../src/model/json.js'

type AbsurdCount = { readonly name: string; readonly text: string; readonly value: JsonValue }

/** None of these is a count. */
export const ABSURD_COUNTS: readonly AbsurdCount[] = [
  ...['1e300', '1e308', '-1', '-10', '1.5', '10000001', '9007199254740993', '"7"', '"NaN"', 'true', '{}', '[3]'],
].map((text) => ({ name: text, text, value: JSON.parse(text) }))
