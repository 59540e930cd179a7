// The real Chromium of a test file, and in it a page of an origin of its own, which loads `sluice/client` as it is built. The page does
// what browser-page.ts holds; nothing but this machine can be reached from it.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Browser } from 'playwright-core'
import { t as file } from 'tap'
import { findProgram } from './find-program.js'
import { ROOT, type Teardown } from './gateway.js'

type PageCode = typeof import('./browser-page.js')
type Jobs = {
  readonly [Name in keyof PageCode]: PageCode[Name] extends (...args: never) => unknown ? PageCode[Name] : never
}

/** One response that the browser got. */
export type Seen = { readonly method: string; readonly url: string; readonly status: number }

export type BrowserPage = {
  /** For `server.cors.origins`. */
  readonly origin: string
  /** Every response that the browser has told of, in order. */
  readonly seen: readonly Seen[]
  /** Resolves with the first response, past or future, that is wanted: page and gateway may be done before the browser tells of it. */
  answer(wanted: (seen: Seen) => boolean): Promise<Seen>
  /** Calls a function of browser-page.ts in the page. */
  run<Name extends keyof Jobs>(name: Name, ...args: Parameters<Jobs[Name]>): Promise<Awaited<ReturnType<Jobs[Name]>>>
  /** Goes elsewhere, as a user who follows a link. */
  leave(): Promise<void>
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
/** Names and addresses other than the loopback one lead nowhere. */
const LOOPBACK_ONLY = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'
const PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module">
import * as jobs from '/test/helpers/browser-page.js'
globalThis.jobs = jobs
</script>`
const MODULE = 'text/javascript'
/** HTML standard, 9.2.6: an EventSource that was told so comes back after that time each time, from then on. */
const ENDED = ['text/event-stream', 'retry: 20\n\n'] as const

/** The program that SLUICE_TEST_CHROMIUM names, else the first in PATH; null if there is none. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | null {
  return env.SLUICE_TEST_CHROMIUM || findProgram(NAMES, env)
}

/** Options of a test that needs one. */
export const IN_CHROMIUM = {
  skip: findChromium() === null ? 'needs chromium in PATH, or SLUICE_TEST_CHROMIUM' : false,
} as const

let browser: Promise<Browser> | null = null

/** The browser of this test file: started once, it ends with the file. Pages of different tests share nothing but it. */
export function startBrowser(): Promise<Browser> {
  browser ??= launch()
  return browser
}

async function launch(): Promise<Browser> {
  const { chromium } = await import('playwright-core')
  const launched = await chromium.launch({ executablePath: findChromium() ?? '', args: [LOOPBACK_ONLY] })
  file.teardown(() => launched.close())
  return launched
}

/** Opens the page, which is closed at the test's end. `client`: the folder in which the client is built. */
export async function openPage(t: Teardown, client: string): Promise<BrowserPage> {
  const origin = await servePage(t, join(client, 'index.js'))
  const context = await (await startBrowser()).newContext()
  t.teardown(() => context.close())
  const page = await context.newPage()
  const seen: Seen[] = []
  const waiting: (() => void)[] = []
  page.on('response', (response) => {
    seen.push({ method: response.request().method(), url: response.url(), status: response.status() })
    for (const look of waiting.splice(0)) look()
  })
  const open = async (): Promise<void> => {
    await page.goto(origin)
    await page.waitForFunction('globalThis.jobs')
  }
  await open()
  return {
    origin,
    seen,
    async answer(wanted) {
      for (;;) {
        const found = seen.find(wanted)
        if (found !== undefined) return found
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
    },
    run: (name, ...args) => page.evaluate(`jobs[${JSON.stringify(name)}](...${JSON.stringify(args)})`),
    leave: open,
  }
}

/** The page, its code, and at any other path a stream of events that ends as soon as it is open, and asks to come back soon. */
async function servePage(t: Teardown, client: string): Promise<string> {
  const code = readFileSync(join(ROOT, 'dist/test/helpers/browser-page.js'))
  const files: Readonly<Record<string, readonly [type: string, body: string | Buffer]>> = {
    '/': ['text/html', PAGE],
    '/test/helpers/browser-page.js': [MODULE, code],
    '/src/client/index.js': [MODULE, readFileSync(client)],
  }
  const server = createServer(({ url = '' }, res) => {
    const [type, body] = files[url] ?? ENDED
    const headers = { 'content-type': type, 'access-control-allow-origin': '*', connection: 'close' }
    res.writeHead(200, headers).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
