// What the admin API asks of one event loop, of its own as well as of the others, which it reaches by ports. Plain data.
import { type JsonObject } from '../../model/json.js'
import { type OpenFacts, type SeenEnd } from '../../pipeline/outside-view.js'
import { type KeptBody } from '../../telemetry/recent/kept-bodies.js'
import { type ProviderWindow } from '../../telemetry/recent/provider-attempts.js'
import { type RecentFilter } from '../../telemetry/recent/recent-requests.js'

/** An open exchange in a list of several event loops. */
export type StreamEntry = OpenFacts & {
  /** Of this process, and of nothing else. */
  readonly id: string
  readonly loop: number
  /** By age among those of its event loop that wait for a slot, from 1; null for one that does not wait. */
  readonly position: number | null
}

/** A request that has ended: the members of its log line. */
export type RequestEntry = {
  readonly atMs: number
  readonly loop: number
  readonly line: JsonObject
  /** Its body is kept. */
  readonly hasBody: boolean
}

/** The calls, which an event loop answers at once. */
export type LoopCalls = {
  streams(): StreamEntry[]
  /** The entry as it was; null if there is no such exchange, or it has ended. */
  cancel(id: string, by: string): StreamEntry | null
  requests(filter: RecentFilter, limit: number): RequestEntry[]
  /** What is kept of a request; null if nothing is. */
  body(requestId: string): KeptBody | null
  providers(): ProviderWindow[]
  /** These providers are not tried from now on; all others are. */
  pause(providers: readonly string[]): null
}

/** A watched exchange, wherever it is. */
export type WatchedStream = {
  /** As it was when the watch began. */
  readonly entry: StreamEntry
  /** True once frames that were not read are gone. */
  readonly isCut: boolean
  /** The next frames; null if it has caught up. */
  read(): Uint8Array | null
  /** Its end, which is told after the last frame. */
  readonly end: SeenEnd | null
  /** Idempotent. */
  detach(): void
}

/** An event loop as the admin API sees it. */
export type AdminLoop = {
  call<Name extends keyof LoopCalls>(
    name: Name,
    args: Parameters<LoopCalls[Name]>,
  ): Promise<ReturnType<LoopCalls[Name]>>
  /** Null if there is no such exchange. */
  watch(id: string, onReadable: () => void): Promise<WatchedStream | null>
}

/** The event loop of a stream's id; null for what is no id of this process. */
export function loopOfStream(id: string, seed: string): number | null {
  const [loop = '', of = '', count = '', ...rest] = id.split('.')
  const isOurs = of === seed && /^\d{1,2}$/.test(loop) && /^\d{1,15}$/.test(count) && rest.length === 0
  return isOurs ? Number(loop) : null
}

/** @see loopOfStream */
export function streamId(loop: number, seed: string, count: number): string {
  return `${loop}.${seed}.${count}`
}
