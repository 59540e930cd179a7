// The Helm chart and the kustomization, by the programs that users have: `helm` lints and renders, `kubernetes-validate` (PyPI) holds every
// manifest against the schemas of Kubernetes. Skipped by name where one of them is missing.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '../../src/config/load.js'
import { sources } from '../config/sources.js'
import { findProgram } from '../helpers/find-program.js'
import { ROOT } from '../helpers/gateway.js'
import { listFiles, readText } from '../helpers/source-tree.js'

const helm = findProgram(['helm'], process.env)
const validate = findProgram(['kubernetes-validate'], process.env)
const skip = helm === null ? 'no helm in PATH' : false
const skipSchemas = validate === null ? 'no kubernetes-validate in PATH' : skip
const CHART = join(ROOT, 'resources/helm/sluice')
const KUBERNETES = 'resources/kubernetes'
/** Of the cluster for which it renders; a helm that was built from source has none of its own. */
const KUBE_VERSION = '1.31.0'
/** Parts of the kustomization that are no manifests of Kubernetes itself. */
const NO_MANIFESTS = ['kustomization.yaml', 'service-monitor.yaml', 'sluice.yaml']
const SECRET = {
  STREAMS_TOKEN_SECRET: 'a-secret-of-32-characters-0123456',
  METRICS_TOKEN: 'metrics-token-0123456789',
  API_KEYS: 'test-key-0123456789abcdef',
}

type Manifest = { readonly kind: string; readonly metadata: { readonly name: string } } & Record<string, unknown>

function run(program: string | null, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program ?? '', args, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

function render(...args: string[]) {
  const { status, stdout, stderr } = run(helm, ['template', 'sluice', CHART, '--kube-version', KUBE_VERSION, ...args])
  return { status, stderr, text: stdout, manifests: parseAllDocuments(stdout).map((each) => each.toJS() as Manifest) }
}

function ofKind(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.find((each) => each.kind === kind)
  if (found === undefined) throw new Error(`no ${kind}`)
  return found
}

const EVERYTHING = [
  ...['--set', 'ingress.enabled=true', '--set', 'ingress.host=llm.example.com', '--set', 'ingress.tlsSecretName=tls'],
  ...['--set', 'ingress.className=nginx', '--set', 'autoscaling.streams=500', '--set', 'image.tag=1.2.3'],
  ...['--set', 'nodeSelector.disk=ssd', '--set', 'env[0].name=A', '--set', 'env[0].value=b'],
  ...['--set', 'podAnnotations.a=b', '--set', 'tolerations[0].key=a', '--set', 'redis.storageClassName=fast'],
  ...['--set', 'imagePullSecrets[0].name=registry'],
]

test('the chart has the version of the package', async (t) => {
  const { version } = JSON.parse(readText('package.json')) as { version: string }
  t.match(parse(readText('resources/helm/sluice/Chart.yaml')), { version, appVersion: version })
})

test('the chart has nothing to complain about', { skip }, async (t) => {
  const { status, stdout } = run(helm, ['lint', '--strict', CHART])
  t.equal(status, 0, stdout)
})

test('every manifest is one by the schemas of Kubernetes', { skip: skipSchemas }, async (t) => {
  check(t, 'defaults', render().text)
  check(t, 'everything', render(...EVERYTHING).text)
  check(t, 'nothing', render('--set', 'redis.enabled=false,autoscaling.enabled=false').text)
  const files = listFiles(KUBERNETES).filter((file) => !NO_MANIFESTS.some((name) => file.endsWith(name)))
  const { status, stdout, stderr } = run(validate, ['--strict', '--quiet', ...files.map((file) => join(ROOT, file))])
  t.equal(status, 0, stdout + stderr)
  const broken = render().text.replace('replicas: 1', 'replicas: one')
  t.not(validated(t, broken).status, 0, 'a manifest that is none is found')
})

function validated(t: Test, text: string) {
  const file = join(t.testdir({}), 'manifests.yaml')
  writeFileSync(file, text)
  return run(validate, ['--strict', '--quiet', file])
}

function check(t: Test, name: string, text: string): void {
  const { status, stdout, stderr } = validated(t, text)
  t.ok(text.includes('kind: Deployment'), name)
  t.equal(status, 0, `${name}: ${stdout}${stderr}`)
}

test('by default it is what the kustomization is', { skip }, async (t) => {
  const { manifests } = render()
  const plain = listFiles(KUBERNETES).flatMap((file) =>
    parseAllDocuments(readText(file)).map((each) => each.toJS() as Manifest),
  )
  for (const kind of ['Deployment', 'StatefulSet'] as const) {
    const [theirs, ours] = [podOf(ofKind(plain, kind)), podOf(ofKind(manifests, kind))]
    const [container, same] = [containerOf(theirs), containerOf(ours)]
    for (const member of ['args', 'ports', 'resources', 'securityContext', 'volumeMounts', 'envFrom', 'env'] as const) {
      t.same(same[member], container[member], `${kind} ${member}`)
    }
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
      t.same(same[probe], container[probe], probe)
    t.same(ours.securityContext, theirs.securityContext)
    t.same(ours.terminationGracePeriodSeconds, theirs.terminationGracePeriodSeconds)
    t.same(ours.volumes, theirs.volumes)
  }
  const kinds = (all: readonly Manifest[]) => all.map(({ kind }) => kind)
  for (const kind of ['Service', 'ServiceAccount', 'PodDisruptionBudget', 'HorizontalPodAutoscaler', 'ConfigMap']) {
    t.ok(kinds(manifests).includes(kind), kind)
  }
})

test('the configuration in its pods is valid, and the one that is set is the one that is used', { skip }, async (t) => {
  const configOf = (manifests: readonly Manifest[]) => {
    const { data } = ofKind(manifests, 'ConfigMap') as unknown as { data: Record<string, string> }
    return loadConfig(sources({ env: SECRET, files: { '/w/sluice.yaml': data['sluice.yaml'] ?? '' } })).config
  }
  const config = configOf(render().manifests)
  t.same([config.jobs.store, config.streams.store, config.server.host], ['redis', 'redis', '0.0.0.0'])
  const own = render('--set', 'config.redis.url=redis://r:6379', '--set', 'redis.enabled=false')
  t.equal(configOf(own.manifests).redis.url, 'redis://r:6379')
  t.notOk(own.manifests.some(({ kind }) => kind === 'StatefulSet'))
})

test('a value that is wrong, or has a wrong name, is rejected', { skip }, async (t) => {
  for (const wrong of [
    'replicas=0',
    'replica=3',
    'service.port=http',
    'ingress.enabled=true',
    'image.pullPolicy=Never2',
  ]) {
    const { status, stderr } = render('--set', wrong)
    t.not(status, 0, wrong)
    t.match(stderr, /schema|specification|values/i, wrong)
  }
})

type Pod = Record<string, unknown> & { readonly containers: readonly Record<string, unknown>[] }

function podOf(manifest: Manifest): Pod {
  return (manifest as unknown as { spec: { template: { spec: Pod } } }).spec.template.spec
}

function containerOf({ containers }: Pod): Record<string, unknown> {
  return containers[0] ?? {}
}
