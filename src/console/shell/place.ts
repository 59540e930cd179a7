// Where somebody is in the console, as the address says it, so that it can be sent to a colleague. It touches no page.

/** Where somebody is: `#/requests/ID?outcome=failed`. */
export type Place = {
  /** The name of the screen. */
  readonly screen: string
  /** What follows it; empty if nothing does. */
  readonly part: string
  readonly query: URLSearchParams
}

/** Reads the part of an address after its `#`. */
export function readPlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  const [screen = '', ...rest] = path.split('/')
  return { screen, part: decodePart(rest.join('/')), query: new URLSearchParams(query) }
}

/** An address that was typed or cut may not be encoded at all. */
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The address of a place, from its `#` on. */
export function placeHref(screen: string, part = '', query: Readonly<Record<string, string>> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== '')
  const text = new URLSearchParams(given).toString()
  return `#/${screen}${part === '' ? '' : `/${encodeURIComponent(part)}`}${text === '' ? '' : `?${text}`}`
}
