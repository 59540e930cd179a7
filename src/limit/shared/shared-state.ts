// The state of one event loop towards Redis: it takes and releases slots, and is registered there as a node with a lease. What
// it holds is counted here as well, even while Redis is unavailable: when the link recovers, the node registers again, with a new
// id and everything it holds then, so that nothing is lost or counted twice, whatever became of the calls in between.
import { randomUUID } from 'node:crypto'
import { RedisLink } from '../../redis/link.js'
import { type BucketState } from '../limiter.js'
import { TokenBucket, ticksOf, wholeCount } from '../local/token-bucket.js'
import { type LimitKind, type LimitScope } from '../refusal.js'
import { bucketKey, type LimitScript, readLimitScripts, SHARED_ARGS, SHARED_KEYS } from './redis-scripts.js'

/** A node that has not renewed its lease for this long is gone; its slots are free. */
export const LEASE_MS = 6000
const BEATS_PER_LEASE = 6

/** Whose bucket it is, and of what. */
export type SharedBucketPlace = {
  readonly scope: LimitScope
  readonly owner: string
  readonly kind: LimitKind
  readonly windowSec?: number
}

/** A bucket in Redis and its last known state, for the headers of answers. */
export class SharedBucket {
  readonly scope: LimitScope
  readonly key: string
  readonly cost: string
  readonly bucket: TokenBucket
  #full = 0n

  /** `windowSec`: of the limit; a minute unless given. */
  constructor(limit: number, { scope, owner, kind, windowSec }: SharedBucketPlace) {
    this.scope = scope
    this.key = bucketKey(owner, kind)
    this.bucket = new TokenBucket(limit, windowSec)
    this.cost = String(this.bucket.ticksFor(1))
  }

  /** `ahead`: ticks that it is ahead of now, as a script answered. */
  see(ahead: number, nowNs: bigint): void {
    this.#full = ticksOf(nowNs) + BigInt(ahead)
  }

  retryAfterMs(count: number, nowNs: bigint): number {
    return this.bucket.retryAfterMs(this.#full, ticksOf(nowNs), count)
  }

  state(nowNs: bigint): BucketState {
    const now = ticksOf(nowNs)
    const remaining = this.bucket.remaining(this.#full, now)
    return { limit: this.bucket.limit, remaining, resetMs: this.bucket.resetMs(this.#full, now) }
  }
}

export type SharedSlot = { readonly owner: string; readonly cap: number }

/** What an admission takes: `count` of each bucket and one of each slot. */
export type Take = {
  readonly buckets: readonly SharedBucket[]
  readonly count: number
  readonly slots: readonly SharedSlot[]
}

/** A key that takes turns, by its name on all nodes; null for no cap of its own. */
export type TurnKey = {
  readonly name: string
  readonly keyCap: number | null
  /** Of a key of a database, if it has one. */
  readonly team: { readonly name: string; readonly cap: number | null } | null
  readonly slots: readonly SharedSlot[]
}

/** A key, and how many wait here for its turn. */
export type WaitingKey = { readonly key: TurnKey; readonly count: number }

/** An admission where keys take turns: one of each bucket, and the slots of the key and the gateway. */
export type Entering = {
  readonly buckets: readonly SharedBucket[]
  readonly key: TurnKey
  readonly gatewayCap: number | null
}

/** The result for the waiting keys: the index of the admitted one, and for each whether it is at its own cap. */
export type TurnTaken = { readonly letIn: number | null; readonly isFull: readonly boolean[] }

/** Place of the bucket or slot that refused, buckets first; null: all was taken. */
export type Taken = { readonly refusedBy: number | null }

export type SharedStateOptions = {
  readonly url: string
  readonly onState: (isUp: boolean, cause: unknown) => void
  readonly onCall: (seconds: number, isOk: boolean) => void
  readonly nowNs: () => bigint
  readonly leaseMs?: number
  readonly callTimeoutMs?: number
}

export class SharedState {
  readonly #link: RedisLink<LimitScript>
  readonly #nowNs: () => bigint
  readonly #leaseMs: number
  /** Slots held by this event loop, by owner. */
  readonly #held = new Map<string, number>()
  /** The same at the last registration. */
  #registered: ReadonlyMap<string, number> = new Map()
  #id: string = randomUUID()
  /** The id that Redis knew last. */
  #knownId: string | null = null
  #registering: Promise<boolean> | null = null
  /** What the current turn has given back, for one call at its end; null for nothing. */
  #due: Given | null = null
  #beat: NodeJS.Timeout | null = null

  constructor(options: SharedStateOptions) {
    const { url, onCall } = options
    const onState = (isUp: boolean, cause: unknown): void => {
      if (isUp) this.#tellSlots(this.#changesSinceRegistered())
      options.onState(isUp, cause)
    }
    this.#nowNs = options.nowNs
    this.#leaseMs = options.leaseMs ?? LEASE_MS
    const { callTimeoutMs } = options
    const timeout = callTimeoutMs === undefined ? {} : { callTimeoutMs }
    this.#link = new RedisLink({
      ...{ url, scripts: readLimitScripts(), onState, onCall, register: () => this.#register(), ...timeout },
    })
  }

  get isUp(): boolean {
    return this.#link.isUp
  }

  /** Connects; resolves within a second, with or without Redis. */
  async start(): Promise<void> {
    await this.#link.start()
    this.#beat = setInterval(() => void this.#sayAlive(), this.#leaseMs / BEATS_PER_LEASE)
    this.#beat.unref()
  }

  /** Asks Redis; null if it is unavailable. Slots that were taken are held from now on. Never rejects. */
  async take(take: Take): Promise<Taken | null> {
    const { buckets, count, slots } = take
    const wanted = [...bucketArgs(buckets, wholeCount(count)), ...slots.flatMap(({ owner, cap }) => [owner, cap])]
    const reply = await this.#askAsNode('take', buckets, [buckets.length, ...wanted])
    return reply === null ? null : this.#takenBy(reply, buckets, slots)
  }

  /** The same, in turn; the place behind the buckets is the key's or its team's, the next one the gateway's. */
  async enter({ buckets, key, gatewayCap }: Entering): Promise<Taken | null> {
    const caps = [gatewayCap ?? NO_CAP, key.name, key.keyCap ?? NO_CAP, ...teamArgs(key)]
    const reply = await this.#askAsNode('enter', buckets, [buckets.length, ...bucketArgs(buckets, 1), ...caps])
    return reply === null ? null : this.#takenBy(reply, buckets, key.slots)
  }

  /** Admits one of the keys that wait here, if it is the turn of one. */
  async takeTurn(keys: readonly WaitingKey[], gatewayCap: number | null): Promise<TurnTaken | null> {
    const waiting = keys.flatMap(({ key, count }) => [key.name, key.keyCap ?? NO_CAP, count, ...teamArgs(key)])
    const reply = await this.#askAsNode('next', [], [gatewayCap ?? NO_CAP, ...waiting])
    if (reply === null) return null
    const [code = 0, ...full] = reply as number[]
    this.#count(keys[code - 1]?.key.slots ?? [], 1)
    return { letIn: code === 0 ? null : code - 1, isFull: full.map((each) => each === 1) }
  }

  /** The key no longer has a waiter here. */
  pass({ name }: TurnKey): void {
    if (this.isUp) void this.#ask('pass', [], [this.#id, name])
  }

  /** The reply of a script, after registering if necessary; null if Redis is unavailable. */
  async #askAsNode(
    script: LimitScript,
    buckets: readonly SharedBucket[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    for (let tries = 0; tries < 2; tries++) {
      const id = this.#id
      const reply = await this.#ask(script, buckets, [id, ...args])
      if (reply === null || (reply as number[])[0] !== NOT_KNOWN) return reply
      if (!(await this.#knowAgain(id))) return null
    }
    return null
  }

  #takenBy(reply: unknown, buckets: readonly SharedBucket[], slots: readonly SharedSlot[]): Taken {
    const code = this.#readAnswer(reply, buckets)
    if (code === 0) this.#count(slots, 1)
    return { refusedBy: code === 0 ? null : code - 1 }
  }

  /** Counts slots as held that were taken without Redis. */
  hold(slots: readonly SharedSlot[]): void {
    this.#count(slots, 1)
    this.#tellSlots(slots.map(({ owner }) => [owner, 1]))
  }

  /** Slots that were held are free again. */
  free(slots: readonly SharedSlot[]): void {
    this.#count(slots, -1)
    this.#tellSlots(slots.map(({ owner }) => [owner, -1]))
  }

  /** Charges `count` to each bucket unconditionally, or returns it if negative. Counts of upstreams may be invalid. */
  charge(buckets: readonly SharedBucket[], count: number): void {
    const whole = Math.max(-MAX_CHARGE, Math.min(MAX_CHARGE, Math.ceil(count)))
    if (buckets.length === 0 || !(whole > 0 || whole < 0) || !this.isUp) return
    const due = this.#givenNow()
    for (const bucket of buckets) {
      due.buckets.push(bucket)
      due.bucketArgs.push(...bucketArgs([bucket], whole))
    }
    if (due.buckets.length >= MOST_GIVEN) this.#tellDue()
  }

  /** Releases everything that the node holds, within the time of one call, and closes the connection. */
  async close(): Promise<void> {
    if (this.#beat !== null) clearInterval(this.#beat)
    if (this.isUp) await this.#ask('leave', [], [this.#id])
    this.#link.close()
  }

  #count(slots: readonly SharedSlot[], by: number): void {
    for (const { owner } of slots) this.#held.set(owner, (this.#held.get(owner) ?? 0) + by)
  }

  #tellSlots(counts: readonly (readonly [owner: string, count: number])[]): void {
    if (counts.length === 0 || !this.isUp) return
    const { slotArgs } = this.#givenNow()
    for (const [owner, count] of counts) slotArgs.push(owner, count)
    if (slotArgs.length >= MOST_GIVEN) this.#tellDue()
  }

  /** A request gives back its tokens and its slots, and often another one does so in the same turn: one call for all. */
  #givenNow(): Given {
    if (this.#due === null) {
      this.#due = { buckets: [], bucketArgs: [], slotArgs: [] }
      queueMicrotask(() => this.#tellDue())
    }
    return this.#due
  }

  /** A failed call has taken the link down: the next registration makes up for it. */
  #tellDue(): void {
    const due = this.#due
    this.#due = null
    if (due === null || !this.isUp) return
    const { buckets } = due
    const args = [this.#id, buckets.length, ...due.bucketArgs, ...due.slotArgs]
    void this.#ask('give', buckets, args).then((reply) => this.#readAnswer(reply, buckets))
  }

  async #ask(
    script: LimitScript,
    buckets: readonly SharedBucket[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    if (!this.isUp) return null
    // What was given back before may be what is asked for.
    if (script !== 'give') this.#tellDue()
    try {
      return await this.#run(script, buckets, args)
    } catch {
      return null
    }
  }

  /** Slots taken and freed during the registration that brought the link up, which Redis does not know yet. */
  #changesSinceRegistered(): [owner: string, count: number][] {
    return [...this.#held]
      .map(([owner, count]): [string, number] => [owner, count - (this.#registered.get(owner) ?? 0)])
      .filter(([, change]) => change !== 0)
  }

  #readAnswer(reply: unknown, buckets: readonly SharedBucket[]): number {
    const [code = NOT_KNOWN, ...aheads] = (reply ?? []) as number[]
    const nowNs = this.#nowNs()
    for (const [index, ahead] of aheads.entries()) buckets[index]?.see(ahead, nowNs)
    return code
  }

  async #sayAlive(): Promise<void> {
    const id = this.#id
    if ((await this.#ask('beat', [], [this.#leaseMs, id])) === 0) await this.#knowAgain(id)
  }

  /** The lease of `id` has expired, as after a pause of the process: registers once for all callers. False if Redis is unavailable. */
  async #knowAgain(id: string): Promise<boolean> {
    if (this.#registering === null && id !== this.#id) return true
    this.#registering ??= this.#register()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        this.#registering = null
      })
    return await this.#registering
  }

  /**
   * What is held now is what the new id stands for, and calls from here on bear it. One that was sent before and is answered
   * later was done for the old id, which is dropped here: if it brings a slot, that is among the changes told when the link
   * is up. A node whose lease was over gets none.
   */
  async #register(): Promise<void> {
    // Of the id that ends here: what is held counts for the new one.
    this.#tellDue()
    const formers = [...new Set([this.#knownId ?? this.#id, this.#id])]
    this.#id = randomUUID()
    this.#registered = new Map(this.#held)
    const held = [...this.#held].filter(([, count]) => count > 0).flat()
    const id = this.#id
    await this.#run('register', [], [this.#leaseMs, id, formers.length, ...formers, ...held])
    this.#knownId = id
  }

  #run(script: LimitScript, buckets: readonly SharedBucket[], args: readonly (string | number)[]): Promise<unknown> {
    return this.#link.run(script, [...SHARED_KEYS, ...buckets.map(({ key }) => key)], [...SHARED_ARGS, ...args])
  }
}

type Given = {
  readonly buckets: SharedBucket[]
  readonly bucketArgs: (string | number)[]
  readonly slotArgs: (string | number)[]
}

/** One call must not hold Redis for long: each is some 5 us. */
const MOST_GIVEN = 64
/** More than any bucket holds (schema.ts). */
const MAX_CHARGE = 1_000_000_000
/** The value for no cap, for a script. */
const NO_CAP = -1
/** The reply of a script to a node whose lease has expired. */
const NOT_KNOWN = -1

function teamArgs({ team }: TurnKey): (string | number)[] {
  return team === null ? ['', NO_CAP] : [team.name, team.cap ?? NO_CAP]
}

function bucketArgs(buckets: readonly SharedBucket[], count: number): (string | number)[] {
  return buckets.flatMap(({ cost, bucket }) => [cost, bucket.limit, count])
}
