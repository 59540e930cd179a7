// A real Chromium with a page of an origin of its own, which loads `sluice/client` as it is built. The page does what browser-page.ts
// holds; nothing but this machine can be reached from it.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { bundleClient } from './client-bundle.js'
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
  /** Every response so far, in order. */
  readonly seen: Seen[]
  /** Status of the next response to this method. Asked for before what causes it: the gateway may be done before the browser tells of it. */
  nextStatus(method: string): Promise<number>
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

/** The program that SLUICE_TEST_CHROMIUM names, else the first in PATH; null if there is none. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | null {
  return env.SLUICE_TEST_CHROMIUM || findProgram(NAMES, env)
}

/** Starts the browser and opens the page. `folder`: where the client may be built. */
export async function openPage(t: Teardown, executablePath: string, folder: string): Promise<BrowserPage> {
  const origin = await servePage(t, join(bundleClient(folder), 'index.js'))
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({ executablePath, args: [LOOPBACK_ONLY] })
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const seen: Seen[] = []
  page.on('response', (response) => {
    seen.push({ method: response.request().method(), url: response.url(), status: response.status() })
  })
  const open = async (): Promise<void> => {
    await page.goto(origin)
    await page.waitForFunction('globalThis.jobs')
  }
  await open()
  return {
    origin,
    seen,
    nextStatus: async (method) => {
      const response = await page.waitForResponse((one) => one.request().method() === method)
      return response.status()
    },
    run: (name, ...args) => page.evaluate(`jobs[${JSON.stringify(name)}](...${JSON.stringify(args)})`),
    leave: open,
  }
}

/** The page, its code, and at /ended a stream of events that ends as soon as it is open. */
async function servePage(t: Teardown, client: string): Promise<string> {
  const code = readFileSync(join(ROOT, 'dist/test/helpers/browser-page.js'))
  const files: Readonly<Record<string, readonly [type: string, body: string | Buffer]>> = {
    '/': ['text/html', PAGE],
    '/test/helpers/browser-page.js': [MODULE, code],
    '/src/client/index.js': [MODULE, readFileSync(client)],
    '/ended': ['text/event-stream', ':\n\n'],
  }
  const server = createServer(({ url = '' }, res) => {
    const [type, body] = files[url] ?? [null, '']
    if (type === null) res.writeHead(404).end()
    else res.writeHead(200, { 'content-type': type }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
