// Prometheus itself reads what the gateway exposes: the alert rules, the metrics page, and each query of the dashboard under load. It runs
// where there are a `prometheus` and a `promtool` (Debian package prometheus); elsewhere it is skipped by name.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Test, test } from 'tap'
import { findProgram } from '../helpers/find-program.js'
import { ROOT, type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'

const prometheus = findProgram(['prometheus'], process.env)
const promtool = findProgram(['promtool'], process.env)
const skip = prometheus === null || promtool === null ? 'no prometheus in PATH' : false
const RULES = join(ROOT, 'resources/prometheus/alerts.yml')
const DASHBOARD = join(ROOT, 'resources/grafana/dashboards/sluice.json')
const PROVIDERS = ['openai', 'responses', 'anthropic', 'google', 'ollama']
/** A rate needs two scrapes; with one a second, the third is there after this many samples. */
const MIN_SCRAPES = 4
const QUERY_MS = 20_000
const RETRY_MS = 200

type Dashboard = {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string }[] }
}
type Panel = { readonly title: string; readonly targets: readonly { readonly expr: string }[] }

function run(program: string | null, args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(program ?? '', args, { input, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

test('the queries of the dashboard have no variable but its own and that of Grafana', async (t) => {
  const { panels, templating } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard
  const known = new Set(['__rate_interval', ...templating.list.map(({ name }) => name)])
  const used = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => expr.match(/(?<=\$)\w+/g) ?? []))
  t.same(new Set(used), known)
})

test('the alert rules are valid', { skip }, async (t) => {
  const { status, output } = run(promtool, ['check', 'rules', RULES])
  t.equal(status, 0, output)
})

test('each query of the dashboard answers under load, for all and for one instance, model and provider', {
  skip,
}, async (t) => {
  const simulator = await startSimulator(t)
  const gateway = await startGateway(t, {
    config: {
      providers: simulatedProviders(simulator.origin),
      prices: { enabled: true, models: { 'openai/*': { input: 1, output: 2 } } },
    },
  })
  await ask(gateway)
  const page = await gateway.metricsWith([/^sluice_requests_total\{.*"ollama".*\} 1$/m])
  const checked = run(promtool, ['check', 'metrics'], page)
  // Those of prom-client itself have names of their own.
  const complaints = checked.output.split('\n').filter((line) => line.startsWith('sluice_'))
  t.same(complaints, [])

  const origin = await startPrometheus(t, gateway)
  await ask(gateway)
  const query = (expr: string) => valuesOf(origin, expr)
  t.ok(await until(() => query(`count_over_time(up[1m]) >= ${MIN_SCRAPES}`)), 'it is scraped')
  // A model that is not configured has the label `other`. What counts is the increase between scrapes, so there has to be load between them.
  await ask(gateway)
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard
  const isOf = (metric: RegExp) => metric.test(page)
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      const answer = await query(inPlaceOf(expr, { instance: '.*', model: '.*', provider: '.*' }))
      t.ok(answer !== null, `${title}: ${expr}`)
      await query(inPlaceOf(expr, { instance: 'x', model: 'x', provider: 'openai' }))
    }
  }
  for (const metric of ['requests_total', 'time_to_first_token_seconds_bucket', 'tokens_total', 'cost_dollars_total']) {
    const shown = panels.flatMap(({ targets }) => targets).find(({ expr }) => expr.includes(`sluice_${metric}`))
    t.ok(isOf(new RegExp(`^sluice_${metric}`, 'm')), metric)
    const expr = inPlaceOf(shown?.expr ?? '', { instance: '.*', model: 'other', provider: 'openai' })
    t.ok(await until(() => query(`(${expr}) > 0`)), `${metric} has values for one model and provider`)
  }
  const rules = (await (await fetch(`${origin}/api/v1/rules`)).json()) as {
    data: { groups: readonly { rules: readonly { health: string; name: string; lastError?: string }[] }[] }
  }
  const loaded = rules.data.groups.flatMap((group) => group.rules)
  t.ok(loaded.length > 0)
  for (const { name, health, lastError } of loaded) t.not(health, 'err', `${name} ${lastError}`)
})

/** One stream of each provider. */
async function ask({ origin }: Running): Promise<void> {
  for (const provider of PROVIDERS) {
    const answer = await fetch(`${origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: `${provider}/lorem`, stream: true, messages: [{ role: 'user', content: 'Hi' }] }),
    })
    await answer.text()
  }
}

/** Resolves with its origin. */
async function startPrometheus(t: Test, gateway: Running): Promise<string> {
  const folder = t.testdir({})
  copyFileSync(RULES, join(folder, 'alerts.yml'))
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['alerts.yml'],
    scrape_configs: [{ job_name: 'sluice', static_configs: [{ targets: [new URL(gateway.origin).host] }] }],
  }
  // JSON is YAML.
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config))
  const args = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'store')}`,
    '--web.listen-address=127.0.0.1:0',
  ]
  const child = spawn(prometheus ?? '', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null) await once(child, 'exit')
  })
  if (child.stderr === null) throw new Error('no standard error')
  for await (const line of createInterface({ input: child.stderr })) {
    const address = /msg="Listening on" address=(\S+)/.exec(line)?.[1]
    if (address !== undefined) {
      child.stderr.resume()
      return `http://${address}`
    }
  }
  throw new Error('Prometheus ended')
}

/** Of a query at this moment; null for one that Prometheus rejects. */
async function valuesOf(origin: string, query: string): Promise<readonly unknown[] | null> {
  const answer = await fetch(`${origin}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query }) })
  const body = (await answer.json()) as { status: string; data?: { result: readonly unknown[] } }
  return body.status === 'success' ? (body.data?.result ?? null) : null
}

/** True as soon as a query has values. */
async function until(values: () => Promise<readonly unknown[] | null>): Promise<boolean> {
  const deadlineMs = performance.now() + QUERY_MS
  while (performance.now() < deadlineMs) {
    const found = await values()
    if (found !== null && found.length > 0) return true
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
  return false
}

/** As Grafana fills in its variables. */
function inPlaceOf(expr: string, variables: Readonly<Record<string, string>>): string {
  return expr.replace(/\$(\w+)/g, (_, name: string) => variables[name] ?? '1m')
}
