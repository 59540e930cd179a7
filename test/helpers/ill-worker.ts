// Preloaded into a gateway process: its codec workers fall ill when they parse a body that orders it. The workers are the
// real ones, from their real file; what they do here, a fault of theirs or of the engine's would do.
import { isMainThread } from 'node:worker_threads'

/** Environment of a gateway with such workers. Their heap is small, so that one can fill it. */
export const ILL_WORKERS: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `--import=${import.meta.url} --max-old-space-size=96`,
}

const ORDER = /"!worker-(throw|exit|loop|oom)"/
const { parse } = JSON

function obey(order: string | undefined): void {
  if (order === 'exit') process.exit(3)
  if (order === 'oom') fillHeap()
  while (order === 'loop');
}

/** Whoever looks into the value is thrown at: an error that nobody foresaw, deep in the codec. */
function spoil(value: unknown): unknown {
  return Object.defineProperty(value, 'messages', {
    enumerable: true,
    get() {
      throw new Error('thrown in the worker')
    },
  })
}

function fillHeap(): void {
  const held: number[][] = []
  for (;;) held.push(new Array<number>(100_000).fill(held.length))
}

if (!isMainThread) {
  JSON.parse = (text: string, reviver?: (key: string, value: unknown) => unknown): unknown => {
    const order = ORDER.exec(text)?.[1]
    obey(order)
    const value: unknown = parse(text, reviver)
    return order === 'throw' ? spoil(value) : value
  }
}
