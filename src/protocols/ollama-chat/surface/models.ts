// The models in the form of this API: GET /api/tags lists them, POST /api/show tells of one. What only a server with the model's file could
// say is empty.
// @see https://docs.ollama.com/api/tags
import { type JsonObject, type JsonValue } from '../../../model/json.js'
import { type ModelListing } from '../../contract/listing.js'
import { invalidField } from '../../fields/field-error.js'
import { textOf } from '../../scalars.js'

const MS_PER_SECOND = 1000
/** What every model of the gateway can be asked for; whether it can see or think is not known here. */
const CAPABILITIES = Object.freeze(['completion', 'tools'])

/** Below the prefix of this API. */
export const modelListing: ModelListing = Object.freeze({
  path: '/api/tags',
  prefix: 'ollamaPrefix',
  encodeModel,
  encodeList: (models) => ({ models: models.map(encodeModel) }),
  asked: Object.freeze({ path: '/api/show', readName, encodeModel: encodeShown }),
})

function encodeModel(model: JsonObject): JsonObject {
  const { id = '' } = model
  return { name: id, model: id, modified_at: timeOf(model), size: 0, digest: '', details: detailsOf(model) }
}

function encodeShown(model: JsonObject): JsonObject {
  return {
    license: '',
    modelfile: '',
    parameters: '',
    template: '',
    details: detailsOf(model),
    model_info: { 'general.architecture': model.owned_by ?? '', 'general.basename': model.id ?? '' },
    capabilities: [...CAPABILITIES],
    modified_at: timeOf(model),
  }
}

/** `family` is the provider. */
function detailsOf({ owned_by: owner = '' }: JsonObject): JsonObject {
  return {
    parent_model: '',
    format: '',
    family: owner,
    families: [owner],
    parameter_size: '',
    quantization_level: '',
  }
}

function timeOf({ created = 0 }: JsonObject): string {
  return new Date(numberOr0(created) * MS_PER_SECOND).toISOString()
}

function numberOr0(value: JsonValue): number {
  return typeof value === 'number' ? value : 0
}

/** Older clients send `name`. @throws invalid_request without either */
function readName(body: JsonObject): string {
  const name = textOf(body.model) ?? textOf(body.name)
  if (name === null) throw invalidField('model', 'is required')
  return name
}
