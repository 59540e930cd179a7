// The message of a 404: the path itself, and the likely mistake. Most often that is a base URL with a superfluous or missing version.
// Pure: it knows the existing routes, and those that clients try.

/** An existing route. */
export type KnownRoute = { readonly method: string; readonly path: string }

/** A longer path is cut: it is the client's own text. */
const MAX_SHOWN_CHARS = 100
const VERSION = '/v1'
/** Some APIs name the model in the path, and what to do with it behind a colon. */
const VERB = /:[A-Za-z]+$/
/** Parts of APIs that this gateway does not serve, by the end of their path; existing routes never get here. */
const UNSPOKEN: readonly RegExp[] = [
  /\/(embeddings|completions|moderations|files|uploads|batches|rerank|realtime|assistants|threads|vector_stores)$/,
  /\/(containers|conversations|evals|skills|videos|cachedContents|interactions|tunedModels)$/,
  /\/(responses|files|uploads|batches|assistants|threads|vector_stores|fine_tuning|containers|evals)\/[^/]+/,
  /\/(conversations|skills|videos|cachedContents|interactions|tunedModels)\/[^/]+/,
  /\/(audio|images|videos)\/[a-z]+$/,
  /\/chat\/completions\/[^/]+\/messages$/,
  /\/messages\/(count_tokens|batches)/,
  /:(predict|rawPredict|asyncBatchEmbedContent|batchGenerateContent|predictLongRunning)$/,
  /\/api\/(pull|push|create|copy|delete)$/,
]

/** The message of a 404: one line, safe to print. `path` is the received one, without its query. */
export function adviseOnPath(method: string, path: string, routes: readonly KnownRoute[]): string {
  const verb = method.toUpperCase()
  const said = `No such route: ${verb} ${shown(path)}.`
  const plain = withoutRepeats(path)
  const sameVerb = routeOfVerb(plain, routes)
  if (sameVerb !== null) return `${said} Did you mean ${sameVerb.method} ${sameVerb.path}?`
  const unversioned = routeWithVersion(verb, plain, routes)
  if (unversioned !== null) return `${said} Did you mean ${nameOf(unversioned)}? The base URL must end in ${VERSION}.`
  const spoken = nearestRoute(plain, routes)
  // The last part of some of their paths is that of a route, too.
  if (spoken === null || !plain.endsWith(spoken.path)) {
    if (UNSPOKEN.some((pattern) => pattern.test(plain)) && !isChat(plain)) {
      return `${said} This gateway does not speak that API; GET /openapi.json lists what it does.`
    }
  }
  if (spoken === null) return said
  return `${said} Did you mean ${spoken.method} ${spoken.path}? ${slipOf(path, plain, spoken.path)}`
}

/** The route that has this path after its version, with the same method if there is one. */
function routeWithVersion(verb: string, path: string, routes: readonly KnownRoute[]): KnownRoute | null {
  if (VERB.test(path)) return null
  const found = routes.filter((route) => route.path.startsWith(`${VERSION}/`) && fits(path, route))
  const literal = found.filter((route) => route.path.endsWith(path))
  return [...literal, ...found].find(({ method }) => method === verb) ?? literal[0] ?? found[0] ?? null
}

/** Segment by segment; one that is a parameter fits any, `*` any rest. */
function fits(path: string, route: KnownRoute): boolean {
  const wanted = route.path.slice(VERSION.length).split('/')
  const given = path.split('/')
  const isAny = (segment: string | undefined) => segment === undefined || /^[:{*]/.test(segment)
  const hasRest = wanted.at(-1) === '*' && given.length >= wanted.length
  if (given.length !== wanted.length && !hasRest) return false
  return given.every((segment, at) => segment === wanted[at] || (at > 0 && segment !== '' && isAny(wanted[at])))
}

function nameOf({ method, path }: KnownRoute): string {
  return `${method} ${path.replace(/:(\w+)/g, '{$1}').replace('*', '{id}')}`
}

/** `/v1/chat/completions` ends like an API that is not spoken. */
function isChat(path: string): boolean {
  return path.endsWith('/chat/completions')
}

/** The route with the verb after the model's name that this path ends with. */
function routeOfVerb(path: string, routes: readonly KnownRoute[]): KnownRoute | null {
  const verb = VERB.exec(path)?.[0]
  return verb === undefined ? null : (routes.find((route) => route.path.endsWith(`}${verb}`)) ?? null)
}

/** The route whose path, or its part after the version, is the end of this one; the longest match. */
function nearestRoute(path: string, routes: readonly KnownRoute[]): KnownRoute | null {
  let best: KnownRoute | null = null
  for (const route of routes) {
    if (/[{*:]/.test(route.path) || route.path.length <= (best?.path.length ?? 0)) continue
    const tail = route.path.startsWith(`${VERSION}/`) ? route.path.slice(VERSION.length) : route.path
    if (path.endsWith(tail)) best = route
  }
  return best ?? routes.find((route) => isBelowPrefix(path, route)) ?? null
}

/** The path of a route without the prefix that precedes it: two segments, since one is too common. */
function isBelowPrefix(path: string, route: KnownRoute): boolean {
  return path.indexOf('/', 1) > 0 && route.path.endsWith(path)
}

function slipOf(path: string, plain: string, right: string): string {
  if (plain === right) {
    return path.includes('//') ? 'The base URL must not end in a slash.' : 'Its path does not end in a slash.'
  }
  if (right.endsWith(plain)) return `The base URL must end in ${right.slice(0, right.length - plain.length)}.`
  const surplus = plain.slice(0, plain.length - right.length)
  if (plain.endsWith(right)) return `Leave ${shown(surplus)} out of the base URL.`
  const tail = right.slice(VERSION.length)
  return `In the base URL, ${VERSION} must replace ${shown(plain.slice(0, plain.length - tail.length))}.`
}

/** Without doubled slashes and without one at the end. */
function withoutRepeats(path: string): string {
  const single = path.replace(/\/{2,}/g, '/')
  return single.length > 1 && single.endsWith('/') ? single.slice(0, -1) : single
}

function shown(path: string): string {
  const clean = path.replace(/[^\x21-\x7e]/g, '?')
  return clean.length > MAX_SHOWN_CHARS ? `${clean.slice(0, MAX_SHOWN_CHARS)}...` : clean
}
