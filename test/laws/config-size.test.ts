// Large configurations: what they cost grows with their size, whether they are right or wrong in every line.
import { test } from 'tap'
import { renderConfig } from '../../src/config/check.js'
import { GatewayError } from '../../src/errors.js'
import { load } from '../config/sources.js'
import { cpuMsOf } from '../helpers/own-time.js'

const SMALL = 1000
const TIMES = 6
/** Seen: 4 to 7. What looks at each name for each other one takes 36 times as long, and does so every time. */
const MOST_TIMES = 10

const UP = 'up: { protocol: openai-chat, baseUrl: "http://127.0.0.1:1/v1" }'
const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('')

const CONFIGURATIONS: Readonly<Record<string, (count: number) => string>> = {
  models: (count) => `providers: { ${UP} }\nmodels:\n${lines(count, (i) => `  m${i}: up/x${i}\n`)}`,
  'models with fallbacks': (count) =>
    `providers: { ${UP} }\nmodels:\n${lines(count, (i) => `  m${i}: { targets: [up/x], fallbacks: [m${(i + 1) % count}] }\n`)}`,
  'models of a provider that is not there': (count) =>
    `providers: { ${UP} }\nmodels:\n${lines(count, (i) => `  m${i}: upx/x${i}\n`)}`,
  providers: (count) =>
    `providers:\n${lines(count, (i) => `  p${i}: { protocol: openai-chat, baseUrl: "http://127.0.0.1:1" }\n`)}`,
  keys: (count) => `keys:\n${lines(count, (i) => `  - { name: k${i}, key: key-of-some-length-${i} }\n`)}`,
}

/** What `sluice check` does with it, right or wrong. */
function check(text: string): void {
  try {
    renderConfig(load(text).config)
  } catch (error) {
    if (!(error instanceof GatewayError) || !/not configured/.test(error.message)) throw error
  }
}

for (const [name, write] of Object.entries(CONFIGURATIONS)) {
  test(`${TIMES} times as many ${name} take about ${TIMES} times as long`, async (t) => {
    // What is compiled for the first ones is not theirs.
    check(write(SMALL))
    const smallMs = Math.min(
      cpuMsOf(() => check(write(SMALL))),
      cpuMsOf(() => check(write(SMALL))),
    )
    let largeMs = cpuMsOf(() => check(write(TIMES * SMALL)))
    if (largeMs >= MOST_TIMES * smallMs)
      largeMs = Math.min(
        largeMs,
        cpuMsOf(() => check(write(TIMES * SMALL))),
      )
    t.ok(largeMs < MOST_TIMES * smallMs, `${largeMs} ms of processor time; ${smallMs} ms for a sixth`)
  })
}
