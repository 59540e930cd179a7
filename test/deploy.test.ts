// What is given for running Sluice elsewhere: manifests, units, rules and compose say what the code and each other say.
import { test } from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '../src/config/load.js'
import { METRIC_LIST } from '../src/telemetry/metrics/table.js'
import { sources } from './config/sources.js'
import { listFiles, readText } from './helpers/source-tree.js'

const KUBERNETES = 'resources/kubernetes'
/** Set by compose itself, since they describe the inside of the container. */
const FIXED = ['API_KEYS', 'METRICS_TOKEN', 'SLUICE_CONFIG']
const OUTSIDE = ['HOST', 'PORT']

type Manifest = {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: Record<string, unknown>
}
type Container = {
  readonly image: string
  readonly securityContext: object
  readonly resources: { readonly limits: Record<string, string> }
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
} & Readonly<Record<string, { readonly httpGet?: { readonly path: string; readonly port: string } }>>
type Pod = {
  readonly terminationGracePeriodSeconds: number
  readonly containers: readonly Container[]
  readonly volumes?: readonly { readonly name: string }[]
  readonly securityContext: object
}

function manifests(file: string): Manifest[] {
  return parseAllDocuments(readText(`${KUBERNETES}/${file}`)).map((document) => document.toJS() as Manifest)
}

function pod(file: string): Pod {
  const { spec } = parse(readText(`${KUBERNETES}/${file}`)) as { spec: { template: { spec: Pod } } }
  return spec.template.spec
}

/** The configuration in the pods, as Sluice reads it. */
function configInPods() {
  const text = readText(`${KUBERNETES}/sluice.yaml`)
  const [secret] = manifests('secret.example.yaml')
  const { stringData } = secret as unknown as { readonly stringData: Record<string, string> }
  return loadConfig(sources({ env: stringData, files: { '/w/sluice.yaml': text } })).config
}

test('the kustomization lists every manifest but those that are said to be apart', (t) => {
  const { resources } = parse(readText(`${KUBERNETES}/kustomization.yaml`)) as { resources: string[] }
  const apart = ['kustomization.yaml', 'secret.example.yaml', 'service-monitor.yaml', 'sluice.yaml']
  const files = listFiles(KUBERNETES).map((file) => file.slice(KUBERNETES.length + 1))
  t.same([...resources, ...apart].sort(), files.sort())
  for (const file of apart.slice(1, 3))
    t.match(readText(`${KUBERNETES}/${file}`), /^# Not part of the kustomization/, file)
  t.end()
})

test('every container is without root, privileges and a writable image, and has a limit of memory but none of CPU', (t) => {
  for (const file of ['deployment.yaml', 'redis.yaml']) {
    const { containers, securityContext } = pod(file)
    t.match(securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }, file)
    for (const container of containers) {
      t.match(container.securityContext, {
        ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
      })
      t.same(Object.keys(container.resources.limits), ['memory'])
    }
  }
  t.end()
})

test('the configuration in the pods is valid with the example of the secret, and shares state by Redis', (t) => {
  const config = configInPods()
  t.same([config.jobs.store, config.streams.store], ['redis', 'redis'])
  t.match(config.redis.url, /^redis:\/\/redis:6379/)
  t.equal(config.server.host, '0.0.0.0')
  t.ok(config.streams.tokenSecret !== null && config.metrics.token !== null)
  t.end()
})

test('a pod, a unit and a container have longer to end than a drain takes', (t) => {
  const { server, streams } = configInPods()
  const { terminationGracePeriodSeconds } = pod('deployment.yaml')
  t.ok(terminationGracePeriodSeconds * 1000 > Math.max(server.drainMs, streams.drainMs))
  const defaults = loadConfig(sources()).config.server.drainMs
  const [, unitSec = ''] = /^TimeoutStopSec=(\d+)$/m.exec(readText('resources/systemd/sluice.service')) ?? []
  t.ok(Number(unitSec) * 1000 > defaults)
  const [, composeSec = ''] = /^ {4}stop_grace_period: (\d+)s$/m.exec(readText('compose.yaml')) ?? []
  t.ok(Number(composeSec) * 1000 > defaults)
  t.end()
})

test('probes ask for routes that exist, and readiness is not what a pod is killed for', (t) => {
  const [container] = pod('deployment.yaml').containers
  const routes = readText('src/server/routes/paths.ts')
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
    const { path = '', port = '' } = container?.[probe]?.httpGet ?? {}
    t.ok(routes.includes(`path: '${path}'`), `${probe} ${path}`)
    t.ok(container?.ports.some(({ name }) => name === port))
  }
  t.equal(container?.readinessProbe?.httpGet?.path, '/readyz')
  t.not(container?.livenessProbe?.httpGet?.path, '/readyz')
  t.end()
})

test('what a container mounts is there', (t) => {
  const { containers, volumes = [] } = pod('deployment.yaml')
  const names = volumes.map(({ name }) => name).sort()
  t.same((containers[0]?.volumeMounts ?? []).map(({ name }) => name).sort(), names)
  t.end()
})

test('alerts ask for metrics that exist, and say what to do', (t) => {
  const { groups } = parse(readText('resources/prometheus/alerts.yml')) as {
    groups: {
      rules: { alert: string; expr: string; labels: { severity: string }; annotations: Record<string, string> }[]
    }[]
  }
  const known = new Map(
    METRIC_LIST.map(([, { name, axes, row = [] }]) => [name, [...row, ...axes.map(({ label }) => label)]]),
  )
  const rules = groups.flatMap((group) => group.rules)
  t.ok(rules.length > 10)
  for (const { alert, expr, labels, annotations } of rules) {
    t.ok(['page', 'ticket'].includes(labels.severity), alert)
    t.ok((annotations.summary ?? '') !== '' && (annotations.description ?? '') !== '', alert)
    const names = Array.from(expr.matchAll(/\b(sluice_\w+?)(?:_bucket)?\b(?=[{[\s)])/g), (match) => match[1] ?? '')
    for (const name of names) t.ok(known.has(name), `${alert}: ${name}`)
    const asked = Array.from(expr.matchAll(/(\w+)(?:=~|!~|!=|=)"/g), (match) => match[1] ?? '')
    for (const label of asked)
      t.ok(label === 'job' || names.some((name) => known.get(name)?.includes(label)), `${alert}: ${label}`)
  }
  t.end()
})

test('compose passes every variable of the example but the address, and hardens every container', (t) => {
  const compose = parse(readText('compose.yaml'), { merge: true }) as {
    services: Record<
      string,
      { environment?: string[]; read_only?: boolean; cap_drop?: string[]; security_opt?: string[]; mem_limit?: string }
    >
    volumes: object
  }
  const passed = (compose.services.sluice?.environment ?? []).map((entry) => entry.split('=')[0] ?? '')
  const known = Array.from(readText('.env.example').matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm), (match) => match[1] ?? '')
  t.ok(known.length > 50)
  t.same(passed.sort(), [...new Set([...known.filter((name) => !OUTSIDE.includes(name)), ...FIXED])].sort())
  for (const [name, service] of Object.entries(compose.services)) {
    t.match(service, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }, name)
    t.ok(service.mem_limit, name)
  }
  t.same(Object.keys(compose.volumes).sort(), ['grafana', 'jobs', 'prometheus', 'redis'])
  t.end()
})

test('the unit starts what the package has, and reloads by the signal that Sluice reads', (t) => {
  const unit = readText('resources/systemd/sluice.service')
  const { bin } = parse(readText('package.json')) as { bin: { sluice: string } }
  t.match(unit, `sluice/${bin.sluice} start\n`)
  t.match(unit, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m)
  t.end()
})
