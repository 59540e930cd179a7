// What a gateway says of itself.
import { type Contender } from './contenders.js'

/** Sum of all lines of the gateway's metrics that match; 0 for none. */
export async function readMetric({ origin, headers }: Contender, lines: RegExp): Promise<number> {
  const page = await (await fetch(`${origin}/metrics`, { headers })).text()
  return page
    .split('\n')
    .filter((line) => lines.test(line))
    .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
}
