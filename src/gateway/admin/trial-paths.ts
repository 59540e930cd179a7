// At which paths of clients' APIs something can be tried, and what such a path says: those at which a body, and what is in the path, is
// the whole request. Pure.
import { type PathFacts } from '../../pipeline/client.js'
import { type Surface, type SurfaceRoute } from '../../protocols/contract/protocol.js'
import { PROVIDER_PART } from '../../server/http/credentials.js'
import { isPathOf, namesModel, type Prefixes, readModelIn, wholePath } from '../../server/routes/chat-route.js'

/** What a path leads to. */
export type TrialPath = { readonly surface: Surface; readonly facts: PathFacts | null }

type Row = { readonly surface: Surface; readonly route: SurfaceRoute; readonly path: string }

export class TrialPaths {
  readonly #rows: readonly Row[]

  /** `prefixes`: the configured ones. Where two surfaces share a path, the first one has it. */
  constructor(surfaces: readonly Surface[], prefixes: Prefixes) {
    this.#rows = surfaces.flatMap((surface) =>
      surface.routes.filter(isWhole).map((route) => ({ surface, route, path: wholePath(route, prefixes) })),
    )
  }

  /** In the form of the routes, for a message. */
  get names(): string[] {
    return [...new Set(this.#rows.map(({ path, route }) => `${path}${queryOf(route)}`))]
  }

  /** `path`: with its query, if it needs one. Null where nothing can be tried. @throws invalid_request for a model without a name */
  find(path: string): TrialPath | null {
    const [bare = '', query = ''] = path.split('?', 2)
    const parameters = new URLSearchParams(query)
    const isAsked = ({ route: { query: asked } }: Row): boolean =>
      asked === undefined || parameters.get(asked.name) === asked.value
    const rows = this.#rows.filter((row) => isPathOf(row.path, bare) && isAsked(row))
    const row = rows.find(({ route }) => route.query !== undefined) ?? rows[0]
    return row === undefined ? null : { surface: row.surface, facts: factsOf(row, bare) }
  }

  /** What leads to the same surface as the path of a request, whose query is not known; null if nothing does. */
  of(surface: Surface, bare: string): string | null {
    const row = this.#rows.find((each) => each.surface === surface && isPathOf(each.path, bare))
    return row === undefined ? null : `${bare}${queryOf(row.route)}`
  }
}

/** No header and no key of the caller's own says more about its requests, and they run. */
function isWhole({ path, accept, ownKey, counts }: SurfaceRoute): boolean {
  return accept === undefined && ownKey !== true && counts !== true && !path.includes(PROVIDER_PART)
}

function factsOf({ route, path }: Row, bare: string): PathFacts | null {
  const streams = route.streams === true
  if (!namesModel(route)) return streams ? { streams, provider: null, callerKey: null } : null
  return { streams, provider: null, callerKey: null, model: readModelIn(bare, path) }
}

function queryOf({ query }: SurfaceRoute): string {
  return query === undefined ? '' : `?${query.name}=${query.value}`
}
