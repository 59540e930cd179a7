// What GET /v1/models shows to a key: the list of models, and a single model by any name that a chat accepts. In OpenAI's form;
// surfaces with another form convert it.
import { type Config } from '../config/types.js'
import { type JsonObject } from '../model/json.js'
import { type KeyIdentity } from '../pipeline/client.js'
import { allowedModels } from '../routing/access.js'
import { type Router } from '../routing/router.js'

/** The model list of one configuration. */
export type ModelListParts = { readonly config: Pick<Config, 'keys'>; readonly router: Router }

/** The date in model lists is unknown; clients only expect a number. */
const MODELS_CREATED_SEC = 1_700_000_000

/** The listed models that this key may use. */
export function listModels(parts: ModelListParts, key: KeyIdentity): JsonObject[] {
  return parts.router.list(allowedModels(parts.config, key)).map(({ id, ownedBy }) => describe(id, ownedBy))
}

/**
 * A model by the name that a chat would use, listed or not.
 * @throws model_not_found, forbidden
 */
export function findModel(parts: ModelListParts, key: KeyIdentity, id: string): JsonObject {
  const route = parts.router.route({ model: id, provider: null, allowed: allowedModels(parts.config, key) })
  return describe(id, route.targets[0]?.provider.name ?? 'sluice')
}

function describe(id: string, ownedBy: string): JsonObject {
  return { id, object: 'model', created: MODELS_CREATED_SEC, owned_by: ownedBy }
}
