// The position of each series of the table in an event loop's slab of numbers. Pure.
//
//   slab  fixed section | row | row | row ...     one row for each (surface, provider, model) seen, MAX_ROWS at most
//   row   tag | the metrics that have cells in each row
//
// The series of a metric are contiguous. A counter or gauge has one cell per series, a histogram one per bound, one for larger
// values and one for the sum; a gauge that is shown once it is set is followed by one flag per series.
import { OTHER } from './labels.js'
import { type Descriptor, METRIC_LIST, type MetricKey } from './table.js'

/** The slices of the configuration from which labels are derived. */
export type MetricsConfig = {
  /** Ids of the surfaces that are served. */
  readonly surfaces: readonly string[]
  readonly providers: readonly { readonly name: string; readonly knownModels: readonly string[] }[]
  readonly models: readonly { readonly name: string }[]
  /** The maximum of each after later additions, which keep existing positions. By default the present number. */
  readonly room?: { readonly providers: number; readonly models: number }
}

/** Bounds memory (about 2.4 KB a row and event loop) and the length of a scrape; combinations beyond count as `other`. */
const MAX_ROWS = 512

/** The cells of one metric: in the fixed section, or counted from the beginning of a row. */
export type Place = {
  readonly at: number
  readonly series: number
  readonly cellsPerSeries: number
  /** The position of the flags of its series; null if it has none. */
  readonly flagsAt: number | null
  /** The position after its last cell. */
  readonly end: number
}

export type Layout = {
  readonly surfaces: NameTable
  readonly providers: NameTable
  readonly models: NameTable
  readonly places: Readonly<Record<MetricKey, Place>>
  readonly firstRow: number
  readonly rows: number
  /** A row's first cell is its tag: 1 + its (surface, provider, model) as one number, 0 while the row is free. */
  readonly rowLength: number
  /** Numbers in the slab of one event loop. */
  readonly slabLength: number
}

/** Label values by index, and every name that leads to one; index 0 is `other`. */
export type NameTable = {
  readonly names: readonly string[]
  readonly indexOf: ReadonlyMap<string, number>
  /** The maximum number of names; further ones count as `other`. */
  readonly room: number
}

/** The same configuration yields the same layout on every event loop; one with more names and the same capacity keeps all positions. */
export function createLayout(config: MetricsConfig): Layout {
  const surfaces = createNameTable(config.surfaces)
  const providers = createNameTable(
    config.providers.map((provider) => provider.name),
    config.room?.providers,
  )
  const models = createModelTable(config)
  let firstRow = 0
  let rowLength = 1
  const places = METRIC_LIST.map(([key, descriptor]) => {
    const place = placeOf(descriptor, descriptor.row === undefined ? firstRow : rowLength, providers.room)
    if (descriptor.row === undefined) firstRow = place.end
    else rowLength = place.end
    return [key, place] as const
  })
  const rows = Math.min(MAX_ROWS, surfaces.room * providers.room * models.room)
  return {
    ...{ surfaces, providers, models, firstRow, rows, rowLength },
    places: Object.fromEntries(places) as Record<MetricKey, Place>,
    slabLength: firstRow + rows * rowLength,
  }
}

function placeOf(descriptor: Descriptor, at: number, providerRoom: number): Place {
  const series = descriptor.axes.reduce(
    (count, { values }) => count * (values === 'providers' ? providerRoom : values.length),
    1,
  )
  const cellsPerSeries = descriptor.type === 'histogram' ? descriptor.bounds.length + 2 : 1
  const behind = at + series * cellsPerSeries
  const hasFlags = descriptor.type === 'gauge' && descriptor.shown === 'once set'
  return { at, series, cellsPerSeries, flagsAt: hasFlags ? behind : null, end: hasFlags ? behind + series : behind }
}

function createNameTable(names: readonly string[], roomForNames?: number): NameTable {
  const all = [...new Set([OTHER, ...names])]
  const room = roomForNames === undefined ? all.length : roomForNames + 1
  const unique = all.slice(0, room)
  return { names: unique, indexOf: new Map(unique.map((name, index) => [name, index])), room }
}

/** Configured and known names, which a client may also write with the provider in front. */
function createModelTable(config: MetricsConfig): NameTable {
  const names = [
    ...config.models.map((model) => model.name),
    ...config.providers.flatMap((provider) => provider.knownModels),
  ]
  const table = createNameTable(names, config.room?.models)
  const indexOf = new Map(table.indexOf)
  for (const { name, knownModels } of config.providers) {
    for (const model of knownModels) {
      const alias = `${name}/${model}`
      if (!indexOf.has(alias)) indexOf.set(alias, table.indexOf.get(model) ?? 0)
    }
  }
  return { ...table, indexOf }
}

/** The labels of a row, read back from its tag; undefined where this layout has no such name. */
export function rowNames({ surfaces, providers, models }: Layout, row: Float64Array) {
  const key = (row[0] ?? 0) - 1
  const pair = Math.floor(key / models.room)
  return {
    surface: surfaces.names[Math.floor(pair / providers.room)],
    provider: providers.names[pair % providers.room],
    model: models.names[key % models.room],
  }
}

/** Where the cells of each metric begin. */
export function beginnings({ places }: Layout): Readonly<Record<MetricKey, number>> {
  return Object.fromEntries(Object.entries(places).map(([key, { at }]) => [key, at])) as Record<MetricKey, number>
}
