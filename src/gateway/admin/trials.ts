// Requests that an operator tries under a key of a client: whose key it is, which models it may use, and the way into the pipeline. They
// are limited, metered and logged as any other request of that key.
import { type AdminContext } from '../../admin/context.js'
import { needsKeys } from '../../config/resolve/gateway-keys.js'
import { GatewayError } from '../../errors.js'
import { type ClientRequest, type KeyIdentity } from '../../pipeline/client.js'
import { cancelBy } from '../../pipeline/outside-view.js'
import { type ClientOrigin } from '../../telemetry/records.js'
import { pipelinesOf } from '../generations.js'
import { type Loop, SURFACES } from '../loop.js'
import { listModels } from '../model-list.js'
import { TrialPaths } from './trial-paths.js'

/** The trials of one event loop. */
export type LoopTrials = AdminContext['trials'] & {
  /** The path at which a request could be tried again: nothing but that and its body says what is asked. Null if there is none. */
  pathOf(request: Pick<ClientRequest, 'surface' | 'origin' | 'formType'>): string | null
  /** Cancels those whose operator may no longer begin any. */
  endForbidden(): void
}

const DRAINING = GatewayError.shared('draining')
/** In the log, in the place of an operator. */
const BY_RELOAD = 'reload'

/** `isRefusing`: no new requests are accepted. */
export function createTrials(loop: Loop, isRefusing: () => boolean): LoopTrials {
  const paths = new TrialPaths(SURFACES, loop.current.config.compat)
  /** By what an open exchange keeps of its request. */
  const allowed = new WeakMap<ClientOrigin, () => boolean>()
  return {
    async models(keyName) {
      const key = await findKey(loop, keyName)
      return listModels(loop.current, key).map(({ id }) => String(id))
    },
    pathOf: ({ surface, origin, formType }) =>
      formType != null || origin == null ? null : paths.of(surface, origin.path),
    async prepare(keyName, path, owner) {
      const tried = paths.find(path)
      if (tried === null) {
        const message = `Nothing can be tried at ${path}; what can is ${paths.names.join(', ')}.`
        throw new GatewayError('not_found', { message, param: 'path' })
      }
      const { surface, facts } = tried
      const key = await findKey(loop, keyName)
      if (owner !== undefined && key.owner !== owner) throw noSuchKey()
      const refusal = isRefusing() ? DRAINING : loop.current.refusal(key)
      if (refusal !== null) throw refusal
      const { pipeline } = loop.current
      return ({ isAllowed, ...trial }, sink) => {
        allowed.set(trial.origin, isAllowed)
        return pipeline.start({ ...trial, surface, path: facts, key, parameterHeaders: {} }, sink)
      }
    },
    endForbidden() {
      for (const exchange of pipelinesOf(loop)().flatMap((pipeline) => pipeline.listOpen())) {
        const { origin } = exchange.request
        if (origin != null && allowed.get(origin)?.() === false) cancelBy(exchange, BY_RELOAD)
      }
    },
  }
}

/** @throws not_found, invalid_request; conflict for a key that may do nothing */
async function findKey(loop: Loop, name: string | null): Promise<KeyIdentity> {
  const { config, pipeline } = loop.current
  if (!needsKeys(config)) return pipeline.authenticate({ authorization: '', apiKey: '' })
  if (name === null)
    throw new GatewayError('invalid_request', { message: 'key: needs the name of a key.', param: 'key' })
  try {
    return pipeline.renew(await identityNamed(loop, name))
  } catch (thrown) {
    const isClosed = thrown instanceof GatewayError && thrown.data.code === 'unauthenticated'
    throw isClosed ? new GatewayError('conflict', { message: `The key ${name} is disabled or has expired.` }) : thrown
  }
}

function noSuchKey(): GatewayError {
  return new GatewayError('not_found', { message: 'No such key.' })
}

async function identityNamed(loop: Loop, name: string): Promise<KeyIdentity> {
  const ofFile = loop.current.config.keys.find((key) => key.name === name)
  if (ofFile !== undefined) return { index: -1, name, owner: ofFile.keySha256 }
  const record = (await loop.accounts?.getKey(name)) ?? null
  const listed = record === null ? null : (loop.ground.accounts?.byId(record.id) ?? null)
  if (listed === null) throw noSuchKey()
  return { index: listed.index, name, owner: listed.account.id, account: listed.account }
}
