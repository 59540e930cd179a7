// Somebody who visits a page in a real Chromium, on a phone and on a desk. What the page must never do is noted on the way: requests to
// other hosts, errors on the console, exceptions. With SLUICE_TEST_PICTURES=1 screenshots are kept in dist/screenshots.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Page } from 'playwright-core'
import { startBrowser } from './browser.js'
import { ROOT, type Teardown } from './gateway.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PICTURES = join(ROOT, 'dist/screenshots')
const HEIGHT = 900
const TICK_MS = 5000
const OVERFLOW = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'

/** Below it lists are cards, in which nothing is cut off. */
const NARROW = 900
const CUT_CELLS = `[...document.querySelectorAll('.rows > .row > span')]
  .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1)
  .map(({ textContent }) => 'cut off: ' + textContent)`

/** A page of this width. What is checked and kept of it is so in light and in dark. */
export type Look = { readonly width: number }
export const PHONE: Look = { width: 360 }
export const DESK: Look = { width: 1440 }
export const LOOKS: readonly Look[] = [PHONE, DESK]
/** With what axe looks for in it. A scheme has its own colours and nothing else, so one of them is enough for the other rules. */
const SCHEMES = {
  dark: 'resultTypes: ["violations"], runOnly: ["color-contrast", "link-in-text-block"]',
  light: 'resultTypes: ["violations"]',
} as const
type Scheme = keyof typeof SCHEMES

export type Visit = {
  readonly page: Page
  /** What went wrong so far, one line each. */
  readonly faults: string[]
  /** Violations of accessibility that are serious or critical, one line each, and whether anything is wider than the page. */
  check(): Promise<string[]>
  /** Resolves once this is true in the page, which is looked at with each frame of its screen. */
  until(expression: string): Promise<unknown>
  /** Sets the clock of the page forward, by what a screen takes to ask anew, until this is true. */
  passTime(isDone: () => Promise<boolean>): Promise<void>
  /** Keeps pictures of the page. */
  picture(name: string): Promise<void>
}

/** Opens a page, which is closed at the test's end. `hasClock`: its clock is that of `passTime`. */
export async function visit(t: Teardown, url: string, { width }: Look, { hasClock = false } = {}): Promise<Visit> {
  const { origin } = new URL(url)
  const browser = await startBrowser()
  const context = await browser.newContext({
    ...{ viewport: { width, height: HEIGHT }, colorScheme: 'light', reducedMotion: 'reduce' },
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  t.teardown(() => context.close())
  if (hasClock) await context.clock.install()
  const page = await context.newPage()
  const faults: string[] = []
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`request to ${request.url()}`)
  })
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => faults.push(`exception: ${error.message}`))
  await page.goto(url)
  const inEachScheme = async (act: (scheme: Scheme) => Promise<void>): Promise<void> => {
    for (const colorScheme of Object.keys(SCHEMES) as Scheme[]) {
      await page.emulateMedia({ colorScheme })
      await act(colorScheme)
    }
  }
  return {
    page,
    faults,
    async check() {
      const lines: string[] = []
      // Evaluated by the debugger, which the page's policy does not bind. A page that was loaded again has lost it.
      if (!(await page.evaluate('"axe" in globalThis'))) await page.evaluate(AXE)
      await inEachScheme(async (scheme) => {
        const { violations } = (await page.evaluate(`axe.run({ ${SCHEMES[scheme]} })`)) as AxeResults
        const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
        lines.push(...serious.map(({ id, nodes }) => `${scheme}: ${id}: ${nodes.map(({ html }) => html).join(' ')}`))
      })
      const overflow = Number(await page.evaluate(OVERFLOW))
      if (overflow > 0) lines.push(`${overflow} px wider than the page`)
      if (width < NARROW) lines.push(...((await page.evaluate(CUT_CELLS)) as string[]))
      return lines
    },
    until: (expression) =>
      // Its own way of waiting evaluates text in the page, which the policy of ours forbids.
      page.evaluate(
        `new Promise((resolve) => { const look = () => ${expression} ? resolve() : requestAnimationFrame(look); look() })`,
      ),
    async passTime(isDone) {
      while (!(await isDone())) await page.clock.fastForward(TICK_MS)
    },
    async picture(name) {
      if (process.env.SLUICE_TEST_PICTURES !== '1') return
      mkdirSync(PICTURES, { recursive: true })
      await inEachScheme(async (scheme) => {
        await page.screenshot({ path: join(PICTURES, `${name}-${width}-${scheme}.png`), fullPage: true })
      })
    },
  }
}

type AxeResults = {
  readonly violations: readonly {
    readonly id: string
    readonly impact: string
    readonly nodes: readonly { readonly html: string }[]
  }[]
}
