// One timer for everything the simulator does later: paced tokens of ten thousand streams, delays, drips. A wheel of slots;
// a task is an object that is run once, when its time has come, and may put itself in again.
//
//   slot:  [a b] [ ] [c] [ ] ...      one slot a tick; what lies further off than the wheel waits another turn

/** How late a task may run. Vendors' tokens come every 5 to 50 ms. */
const TICK_MS = 4
/** 4 s a turn: a task further off is looked at once a turn. */
const SLOTS = 1024

export type Task = { dueMs: number; run(nowMs: number): void }

/** Runs tasks by `nowMs`, a monotonic clock in milliseconds. */
export class Ticker {
  readonly #nowMs: () => number
  readonly #slots: Task[][] = Array.from({ length: SLOTS }, () => [])
  #count = 0
  #lastTick = 0
  #timer: NodeJS.Timeout | null = null

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  now(): number {
    return this.#nowMs()
  }

  /** Tasks waiting. */
  get size(): number {
    return this.#count
  }

  /** Runs `task` once at or soon after `dueMs`. A task that is in must not be put in again before it ran. */
  add(task: Task, dueMs: number): void {
    task.dueMs = dueMs
    if (this.#timer === null) {
      this.#lastTick = tickOf(this.#nowMs())
      this.#timer = setInterval(() => this.turn(), TICK_MS)
    }
    // What is due in the tick that is being run goes into the next one.
    const tick = Math.max(tickOf(dueMs) + 1, this.#lastTick + 1)
    this.#slots[tick % SLOTS]?.push(task)
    this.#count += 1
  }

  /** Runs what is due. For the timer, and for tests with a clock of their own. */
  turn(): void {
    const nowMs = this.#nowMs()
    const nowTick = tickOf(nowMs)
    // After a long block every slot is looked at once, not once for each turn missed.
    const from = Math.max(this.#lastTick + 1, nowTick - SLOTS + 1)
    for (let tick = from; tick <= nowTick; tick++) {
      this.#lastTick = tick
      this.#runSlot(tick % SLOTS, nowMs)
    }
    if (this.#count === 0) this.stop()
  }

  /** Stops the timer; tasks that wait are not run. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #runSlot(index: number, nowMs: number): void {
    const tasks = this.#slots[index]
    if (tasks === undefined || tasks.length === 0) return
    const kept: Task[] = []
    this.#slots[index] = kept
    for (const task of tasks) {
      if (task.dueMs > nowMs) {
        kept.push(task)
        continue
      }
      this.#count -= 1
      task.run(nowMs)
    }
  }
}

function tickOf(ms: number): number {
  return Math.floor(ms / TICK_MS)
}
