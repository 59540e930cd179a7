// Starts the front end on a free port with a scripted pipeline, and stops it with the test.
import { type ServerConfig } from '../../src/config/types.js'
import { GatewayError } from '../../src/errors.js'
import { type Surface } from '../../src/protocols/contract/protocol.js'
import { JOB_PROTOCOL } from '../../src/protocols/index.js'
import { createServer, type Server, type ServerOptions } from '../../src/server/app.js'
import { type JobIntake } from '../../src/server/intake/job-intake.js'
import { FakePipeline, fakeSurface, type Script } from './fake-pipeline.js'

export type FrontOptions = {
  readonly script?: Script
  readonly config?: Partial<ServerConfig>
  readonly options?: Partial<ServerOptions>
}

export type RunningFront = {
  readonly server: Server
  readonly port: number
  readonly pipeline: FakePipeline
  readonly url: string
  /** The same configuration as a new one. */
  reload(): void
}

export const SERVER_CONFIG: ServerConfig = {
  host: '127.0.0.1',
  port: 0,
  threads: 1,
  maxBodyBytes: 1024 * 1024,
  maxReceivingBytes: 256 * 1024 * 1024,
  maxReceivingBytesPerKey: 64 * 1024 * 1024,
  maxMessageBytes: 256 * 1024,
  maxResponseBytes: 1024 * 1024,
  maxReaderLagBytes: 1024 * 1024,
  readerStallMs: 30_000,
  keepaliveMs: 15_000,
  drainMs: 1_000,
  maintenance: false,
  endRequestsOfRemovedKeys: false,
  drainGraceMs: 0,
  tls: null,
  allowedHosts: [],
  cors: { origins: [] },
  trustedProxies: [],
  maxChatsPerSocket: 4,
}

/** A door for jobs whose store is never asked. */
export function closedJobDoor(surfaces: readonly Surface[]): JobIntake {
  const surface = surfaces.find(({ id }) => id === JOB_PROTOCOL)
  if (surface === undefined) throw new Error('no surface takes jobs')
  const never = (): never => {
    throw new Error('not here')
  }
  return {
    surface,
    desk: {} as JobIntake['desk'],
    decode: never,
    createJobId: never,
    tell: never,
    onNoRoom: never,
    onNotKept: never,
  }
}

/** What a test of tap offers for cleaning up. */
type Teardown = { teardown(stop: () => void): void }

export async function startFront(t: Teardown, { script, config, options }: FrontOptions = {}): Promise<RunningFront> {
  const pipeline = new FakePipeline(script)
  const serverOptions: ServerOptions = {
    config: { ...SERVER_CONFIG, ...config },
    metrics: { port: null, token: null },
    compat: { apiPrefix: '/api', ollamaPrefix: '/ollama', healthStatus: 'ok' },
    ownsMetricsPort: true,
    hasKeys: false,
    failedKeys: null,
    surfaces: [fakeSurface],
    webSocketSurface: fakeSurface,
    webSocketApis: new Map([['fake', fakeSurface]]),
    parameterHeaders: ['x-parameter'],
    decode: () => {
      throw new Error('not here')
    },
    requestIdSeed: 'seed1234',
    pipeline,
    models: () => [
      { id: 'fast', object: 'model' },
      { id: 'vendor/deep', object: 'model' },
    ],
    model: () => {
      throw new GatewayError('model_not_found', { param: 'model' })
    },
    providers: () => [{ name: 'one', configured: true, breaker: 'closed' }],
    languages: () => ['en', 'pl'],
    isReady: () => true,
    version: () => '0.0.0',
    renderMetrics: async () => 'sluice_up 1\n',
    ...options,
  }
  const server = createServer(serverOptions)
  t.teardown(() => server.close())
  const port = await server.listen()
  const reload = (): void => server.show(serverOptions)
  return { server, port, pipeline, url: `http://127.0.0.1:${port}`, reload }
}
