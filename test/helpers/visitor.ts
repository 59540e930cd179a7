// Somebody who visits a page in a real Chromium: at two widths, in light and dark. What the page must never do is noted on the way:
// requests to other hosts, errors on the console, exceptions. Screenshots are kept in dist/screenshots.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, type Page } from 'playwright-core'
import { ROOT, type Teardown } from './gateway.js'

const LOOPBACK_ONLY = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const HEIGHT = 900

/** Below it lists are cards, in which nothing is cut off. */
const NARROW = 900
const CUT_CELLS = `[...document.querySelectorAll('.rows > .row > span')]
  .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1)
  .map(({ textContent }) => 'cut off: ' + textContent)`

export type Look = { readonly width: number; readonly colorScheme: 'light' | 'dark' }
/** Each width and each scheme; the phone in both. */
export const LOOKS: readonly Look[] = [
  { width: 360, colorScheme: 'light' },
  { width: 360, colorScheme: 'dark' },
  { width: 1440, colorScheme: 'light' },
  { width: 1440, colorScheme: 'dark' },
]

export type Visit = {
  readonly page: Page
  /** What went wrong so far, one line each. */
  readonly faults: string[]
  /** Violations of accessibility that are serious or critical, one line each, and whether anything is wider than the page. */
  check(): Promise<string[]>
  /** Resolves once this is true in the page, which is looked at with each frame of its screen. */
  until(expression: string): Promise<unknown>
  /** Keeps a picture of the page. */
  picture(name: string): Promise<void>
}

/** Starts the browser; `visit` opens a page in it. */
export async function startVisitor(t: Teardown, executablePath: string) {
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({ executablePath, args: [LOOPBACK_ONLY] })
  t.teardown(() => browser.close())
  return { visit: (url: string, look: Look) => visit(browser, url, look) }
}

async function visit(browser: Browser, url: string, { width, colorScheme }: Look): Promise<Visit> {
  const { origin } = new URL(url)
  const context = await browser.newContext({
    viewport: { width, height: HEIGHT },
    colorScheme,
    reducedMotion: 'reduce',
  })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin })
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
  return {
    page,
    faults,
    async check() {
      // Evaluated by the debugger, which the page's policy does not bind.
      await page.evaluate(readFileSync(AXE, 'utf8'))
      const found = (await page.evaluate('axe.run({ resultTypes: ["violations"] })')) as AxeResults
      const serious = found.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      const lines = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      )
      const cut = width < NARROW ? ((await page.evaluate(CUT_CELLS)) as string[]) : []
      return [...lines, ...cut, ...(Number(overflow) > 0 ? [`${overflow} px wider than the page`] : [])]
    },
    until: (expression) =>
      // Its own way of waiting evaluates text in the page, which the policy of ours forbids.
      page.evaluate(
        `new Promise((resolve) => { const look = () => ${expression} ? resolve() : requestAnimationFrame(look); look() })`,
      ),
    async picture(name) {
      const folder = join(ROOT, 'dist/screenshots')
      mkdirSync(folder, { recursive: true })
      await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true })
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
