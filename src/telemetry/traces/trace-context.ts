// Trace context over HTTP: reads what a caller sends and writes what a provider gets. Pure. A header that is not valid starts a new
// trace, as the specification demands. https://www.w3.org/TR/trace-context/
//
//   traceparent = version "-" trace-id "-" parent-id "-" flags        00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//   tracestate  = member *( "," member )                              vendor=opaque, key@tenant=opaque

/** The span of the caller. */
export type ParentSpan = { readonly traceId: string; readonly spanId: string; readonly isSampled: boolean }

const VERSION_0 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
/** A later version may have more after the flags; 255 is no version. */
const LATER_VERSION = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/
const NO_ID = /^0+$/
const SAMPLED = 1

/** Null if there is none, or it is not valid, as two headers are not. */
export function readTraceparent(text: string | undefined): ParentSpan | null {
  if (text === undefined) return null
  const found = VERSION_0.exec(text) ?? LATER_VERSION.exec(text)
  if (found === null) return null
  const [, traceId = '', spanId = '', flags = '00'] = found
  if (NO_ID.test(traceId) || NO_ID.test(spanId)) return null
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}

/** The same for a request of our own. */
export function formatTraceparent({ traceId, spanId, isSampled }: ParentSpan): string {
  return `00-${traceId}-${spanId}-0${isSampled ? SAMPLED : 0}`
}

const MAX_MEMBERS = 32
/** What everyone on the way should pass on at least; we pass on no more, since it goes into each span. */
const MAX_CHARS = 512
const KEY = '[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}'
const VALUE = '[\\x20-\\x2b\\x2d-\\x3c\\x3e-\\x7e]{0,255}[\\x21-\\x2b\\x2d-\\x3c\\x3e-\\x7e]'
const MEMBER = new RegExp(`^(?:${KEY})=${VALUE}$`)

/** The members of all headers, those at the end left out if they are too long; empty if any of them is not valid. */
export function readTracestate(text: string | undefined): string {
  if (text === undefined || text === '') return ''
  // Lists of HTTP may have empty members, and spaces around each.
  const members = text.split(',').map((member) => member.trim())
  const named = members.filter((member) => member !== '')
  if (named.length > MAX_MEMBERS || !named.every((member) => MEMBER.test(member))) return ''
  let state = named.join(',')
  while (state.length > MAX_CHARS) state = state.slice(0, Math.max(0, state.lastIndexOf(',')))
  return state
}
