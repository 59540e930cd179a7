// One timer for everything the simulator does later: paced tokens of ten thousand streams, delays, drips. A timer wheel; a task is
// an object that runs once when it is due, and may add itself again.
//
//   slot:  [a b] [ ] [c] [ ] ...      one slot per tick; a task beyond the wheel's span waits another turn

/** The resolution of the wheel. Vendors' tokens arrive every 5 to 50 ms. */
const TICK_MS = 4
/** 4 s per turn: a task further in the future is checked once per turn. */
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

  /** The number of waiting tasks. */
  get size(): number {
    return this.#count
  }

  /** Runs `task` once at or soon after `dueMs`. A waiting task must not be added again before it has run. */
  add(task: Task, dueMs: number): void {
    task.dueMs = dueMs
    if (this.#timer === null) {
      this.#lastTick = tickOf(this.#nowMs())
      this.#timer = setInterval(() => this.turn(), TICK_MS)
    }
    // A task that is due in the current tick goes into the next one.
    const tick = Math.max(tickOf(dueMs) + 1, this.#lastTick + 1)
    this.#slots[tick % SLOTS]?.push(task)
    this.#count += 1
  }

  /** Runs the tasks that are due. Called by the timer, and by tests with their own clock. */
  turn(): void {
    const nowMs = this.#nowMs()
    const nowTick = tickOf(nowMs)
    // After a long block every slot is checked once, not once for each missed turn.
    const from = Math.max(this.#lastTick + 1, nowTick - SLOTS + 1)
    for (let tick = from; tick <= nowTick; tick++) {
      this.#lastTick = tick
      this.#runSlot(tick % SLOTS, nowMs)
    }
    if (this.#count === 0) this.stop()
  }

  /** Stops the timer; waiting tasks do not run. */
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
