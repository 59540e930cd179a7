// OpenAI's files and batches: what a client keeps in its own account at a provider. Bodies and answers pass as they are; ids are the
// provider's. A request that creates is read as far as it must be one, the others consist of their path.
//
//   POST /v1/files    a form with the file          POST /v1/batches    {"input_file_id", "endpoint", "completion_window"}
import { GatewayError } from '../../errors.js'
import { type JsonObject } from '../../model/json.js'
import { type SurfaceDescription } from '../contract/description.js'
import { type FormRequest, type RequestFacts, type Surface, type SurfaceEndpoint } from '../contract/protocol.js'
import { PROVIDER_PARAMETER, type ResourceRoute } from '../contract/resource.js'
import { resourceFacts } from '../endpoints/endpoint.js'
import { type FormFacts, readForm } from '../endpoints/form.js'
import { encodeError, encodeErrorFrame } from '../openai-error.js'
import { OPENAI_WIRE } from '../openai-upstream.js'
import { EndpointObserver } from './observer.js'

type ResourceRow = {
  readonly id: 'files' | 'batches'
  readonly surfaceId: string
  readonly title: string
  readonly summary: string
  /** What is created is sent as a form, or as JSON. */
  readonly isForm: boolean
  readonly members: Readonly<Record<string, string>>
  readonly required: readonly string[]
  readonly example: JsonObject
  readonly routes: readonly ResourceRoute[]
}

/** @see https://platform.openai.com/docs/api-reference/files */
const FILES: ResourceRow = {
  id: 'files',
  surfaceId: 'openai-files',
  title: 'OpenAI files',
  summary: 'Upload a file to your account at the provider',
  isForm: true,
  members: {
    file: 'A file',
    purpose: 'What it is for, such as `batch`',
    expires_after: 'When the provider deletes it',
  },
  required: ['file', 'purpose'],
  example: {},
  routes: [
    {
      ...{ method: 'GET', rest: '', summary: 'List the files of your account' },
      query: ['purpose', 'limit', 'order', 'after'],
    },
    { method: 'GET', rest: '/{id}', summary: 'Get what is known of a file' },
    { method: 'DELETE', rest: '/{id}', summary: 'Delete a file' },
    { method: 'GET', rest: '/{id}/content', isFile: true, summary: 'Download a file' },
  ],
}

/** @see https://platform.openai.com/docs/api-reference/batch */
const BATCHES: ResourceRow = {
  id: 'batches',
  surfaceId: 'openai-batches',
  title: 'OpenAI batches',
  summary: 'Start a batch of requests from a file in your account at the provider',
  isForm: false,
  members: {
    input_file_id: 'The file with the requests',
    endpoint: 'The path of the provider that each of them is for',
    completion_window: 'Time within which it must be done',
    metadata: 'Kept with it',
  },
  required: ['input_file_id', 'endpoint'],
  example: { input_file_id: 'file-abc123', endpoint: '/v1/chat/completions', completion_window: '24h' },
  routes: [
    { method: 'GET', rest: '', summary: 'List the batches of your account', query: ['limit', 'after'] },
    { method: 'GET', rest: '/{id}', summary: 'Get the state of a batch' },
    { method: 'POST', rest: '/{id}/cancel', summary: 'Cancel a batch' },
  ],
}

/** The surfaces of both. */
export const openaiResources: readonly Surface[] = Object.freeze([FILES, BATCHES].map(createResourceSurface))

function createResourceSurface(row: ResourceRow): Surface {
  const { id, surfaceId, isForm, routes } = row
  const factsOf = (form?: FormFacts): RequestFacts => createFacts(id, form)
  const endpoint: SurfaceEndpoint = {
    ...{ id, wire: OPENAI_WIRE, isText: false, isRepeatable: false },
    readUsage: () => null,
    createObserver: (isDelimited) => new EndpointObserver({ needsMarker: false, isDelimited }),
    ...(isForm ? { readForm: (body, type) => readUpload(readForm(body, type, false), factsOf) } : {}),
  }
  function notTranslated(): never {
    throw new GatewayError('internal', { cause: new Error(`${surfaceId} is no chat`) })
  }
  return Object.freeze({
    id: surfaceId,
    routes: [{ method: 'POST' as const, path: `/v1/${id}`, ownKey: true as const }],
    resources: routes,
    endpoint,
    framing: 'sse' as const,
    keepaliveFrame: ': ping\n',
    promptMembers: [],
    readFacts: (body: JsonObject) => {
      if (isForm) throw new GatewayError('unsupported_media_type', { message: 'The body must be multipart/form-data.' })
      for (const member of row.required) checkText(body, member)
      return factsOf()
    },
    decodeRequest: notTranslated,
    createEncoder: notTranslated,
    encodeResponse: notTranslated,
    encodeError,
    encodeErrorFrame,
    describe: () => describe(row),
  })
}

function createFacts(id: ResourceRow['id'], form: FormFacts | undefined): RequestFacts {
  const resource = { method: 'POST', rest: '', isFile: false } as const
  const endpoint = resourceFacts({ id, wire: OPENAI_WIRE }, resource)
  return {
    ...{ model: '', stream: false, includeUsage: true, maxOutputTokens: null, provider: null, prompt: null },
    endpoint: form === undefined ? endpoint : { ...endpoint, form },
  }
}

/** All else is for the provider to check. */
function checkText(body: JsonObject, member: string): void {
  const value = body[member]
  if (typeof value === 'string' && value !== '') return
  throw new GatewayError('invalid_request', { message: `'${member}' must be a text.`, param: member })
}

/** Of the fields nothing counts but that they are a form's. */
function readUpload({ form }: { form: FormFacts }, factsOf: (form: FormFacts) => RequestFacts): FormRequest {
  return { facts: factsOf(form), estimatedTokens: 0 }
}

function describe({ title, summary, members, required, example, isForm }: ResourceRow): SurfaceDescription {
  const text = isForm ? {} : { type: 'string', minLength: 1 }
  const properties = Object.entries(members).map(([member, description]) => {
    return [member, required.includes(member) ? { ...text, description } : { description }]
  })
  return {
    title,
    summary,
    body: { type: 'object', required, properties: Object.fromEntries(properties) },
    examples: isForm ? {} : { example },
    answer: null,
    operation: { parameters: [PROVIDER_PARAMETER] },
    ...(isForm ? { isForm: 'only' as const } : {}),
  }
}
