// Validates a Messages body: known fields only, unknown ones pass. Linear in the messages: one compiled check per block,
// and the slow search for the reason runs on the one block that failed, never on the whole body.
import { type TSchema, Type } from 'typebox'
import { GatewayError } from '../../../errors.js'
import { type JsonObject } from '../../../model/json.js'
import { type RequestFacts } from '../../contract/protocol.js'
import { LateValidator } from '../../fields/late-validator.js'
import { type MessagesRequest } from '../wire.js'

const optional = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

const CacheControl = optional(Type.Object({ type: Type.String() }))
const TextBlock = Type.Object({
  type: Type.Literal('text'),
  text: Type.String(),
  cache_control: CacheControl,
  citations: optional(Type.Array(Type.Unknown())),
})
const OutputFormat = Type.Object({ type: Type.String(), schema: Type.Optional(Type.Unknown()) })

const AnyTool = Type.Object({ type: optional(Type.String()), name: optional(Type.String()) })
const ToolChoice = Type.Object({
  type: Type.Enum(['auto', 'any', 'tool', 'none']),
  name: Type.Optional(Type.String()),
  disable_parallel_tool_use: optional(Type.Boolean()),
})

const Head = Type.Object({
  model: Type.String({ minLength: 1 }),
  // 0 is valid: the vendor then only fills the prompt cache.
  max_tokens: Type.Integer({ minimum: 0 }),
  messages: Type.Array(Type.Unknown(), { minItems: 1 }),
  system: optional(Type.Union([Type.String(), Type.Array(TextBlock)])),
  tools: optional(Type.Array(AnyTool)),
  tool_choice: optional(ToolChoice),
  thinking: optional(Type.Object({ type: Type.String(), budget_tokens: optional(Type.Integer({ minimum: 0 })) })),
  output_config: optional(Type.Object({ effort: optional(Type.String()), format: optional(OutputFormat) })),
  output_format: optional(OutputFormat),
  metadata: optional(Type.Object({ user_id: optional(Type.String()) })),
  stop_sequences: optional(Type.Array(Type.String())),
  temperature: optional(Type.Number({ minimum: 0, maximum: 1 })),
  top_p: optional(Type.Number({ minimum: 0, maximum: 1 })),
  top_k: optional(Type.Integer({ minimum: 0 })),
  stream: optional(Type.Boolean()),
})
const HEAD = new LateValidator(Head)

const ClientTool = Type.Object({
  name: Type.String({ minLength: 1 }),
  description: optional(Type.String()),
  input_schema: Type.Object({}),
  strict: optional(Type.Boolean()),
})
const CLIENT_TOOL = new LateValidator(ClientTool)

const NamedToolChoice = Type.Object({ name: Type.String({ minLength: 1 }) })
const NAMED_TOOL_CHOICE = new LateValidator(NamedToolChoice)

const Role = Type.Enum(['user', 'assistant', 'system'])
const MESSAGE = new LateValidator(
  Type.Object({ role: Role, content: Type.Union([Type.String(), Type.Array(Type.Unknown())]) }),
)

const AnyBlock = Type.Object({ type: Type.String(), content: Type.Optional(Type.Unknown()) })
const ANY_BLOCK = new LateValidator(AnyBlock)

const ImageBlock = Type.Object({ source: Type.Object({ type: Type.String() }) })
const DocumentBlock = Type.Object({
  source: Type.Object({ type: Type.String() }),
  title: optional(Type.String()),
  context: optional(Type.String()),
})
const ToolUseBlock = Type.Object({
  id: Type.String({ minLength: 1 }),
  name: Type.String({ minLength: 1 }),
  input: Type.Object({}),
})
const ToolResultBlock = Type.Object({
  tool_use_id: Type.String({ minLength: 1 }),
  content: optional(Type.Union([Type.String(), Type.Array(Type.Object({ type: Type.String() }))])),
  is_error: optional(Type.Boolean()),
})
const ThinkingBlock = Type.Object({ thinking: Type.String(), signature: optional(Type.String()) })
const RedactedThinkingBlock = Type.Object({ data: Type.String() })

const BLOCK_SCHEMAS: Readonly<Record<string, TSchema>> = {
  text: TextBlock,
  image: ImageBlock,
  document: DocumentBlock,
  tool_use: ToolUseBlock,
  tool_result: ToolResultBlock,
  thinking: ThinkingBlock,
  redacted_thinking: RedactedThinkingBlock,
}

/** Checks of the known blocks; a block of another type passes and is left to its vendor. */
const BLOCKS: ReadonlyMap<string, LateValidator<TSchema>> = new Map(
  Object.entries(BLOCK_SCHEMAS).map(([type, schema]) => [type, new LateValidator(schema)]),
)

/** The whole body as one schema, for the API's document; validation checks it piece by piece. */
export function bodySchema(): TSchema {
  const clientTool = Type.Object({ ...ClientTool.properties, type: optional(Type.Literal('custom')) })
  const vendorTool = Type.Object({ ...AnyTool.properties, type: Type.String({ not: { const: 'custom' } }) })
  const freeChoice = { type: Type.Enum(['auto', 'any', 'none']) }
  const namedChoice = { type: Type.Literal('tool'), ...NamedToolChoice.properties }
  const choices = [freeChoice, namedChoice].map((own) => Type.Object({ ...ToolChoice.properties, ...own }))
  const { tool_result: _, ...blocksInResult } = BLOCK_SCHEMAS
  const result = Type.Object({ ...ToolResultBlock.properties, content: optional(contentSchema(blocksInResult)) })
  const content = contentSchema({ ...blocksInResult, tool_result: result })
  return Type.Object({
    ...Head.properties,
    messages: Type.Array(Type.Object({ role: Role, content }), { minItems: 1 }),
    tools: optional(Type.Array(Type.Union([clientTool, vendorTool]))),
    tool_choice: optional(Type.Union(choices)),
  })
}

/** Text, or blocks: known ones by their type and those of unknown types, as the checks accept them. */
function contentSchema(blocks: Readonly<Record<string, TSchema>>): TSchema {
  const known = Object.entries(blocks).map(([type, schema]) => {
    return Type.Intersect([Type.Object({ type: Type.Literal(type) }), schema])
  })
  const other = Type.Object({ type: Type.String({ not: { enum: Object.keys(BLOCK_SCHEMAS) } }) })
  return Type.Union([Type.String(), Type.Array(Type.Union([...known, other]))])
}

/**
 * Validates a body and reads what routing and limits need of it.
 * @throws invalid_request with the dotted path of the first wrong field
 */
export function readFacts(body: JsonObject): RequestFacts {
  const request = checkRequest(body)
  return {
    model: request.model,
    stream: request.stream === true,
    // The vendor always reports usage, also in a stream.
    includeUsage: true,
    maxOutputTokens: request.max_tokens,
    provider: null,
    prompt: null,
  }
}

function checkRequest(body: JsonObject): MessagesRequest {
  demand(HEAD, body, '')
  const request = body as unknown as MessagesRequest
  if (request.tool_choice?.type === 'tool') demand(NAMED_TOOL_CHOICE, request.tool_choice, 'tool_choice')
  request.tools?.forEach((tool, index) => {
    if (isClientTool(tool.type)) demand(CLIENT_TOOL, tool, `tools.${index}`)
  })
  for (let index = 0; index < request.messages.length; index++) checkMessage(request.messages[index], index)
  return request
}

/** True for a client's own tool; every other type is the vendor's: see vendor-tools.ts. */
export function isClientTool(type: string | null | undefined): boolean {
  return type === undefined || type === null || type === 'custom'
}

function checkMessage(message: unknown, index: number): void {
  if (!MESSAGE.Check(message)) throw problem(MESSAGE, message, `messages.${index}`)
  if (typeof message.content !== 'string') checkBlocks(message.content, `messages.${index}.content`)
}

/** A tool result contains blocks, but no further result: the vendor rejects that as well. */
function checkBlocks(blocks: readonly unknown[], path: string, isInResult = false): void {
  for (let at = 0; at < blocks.length; at++) {
    const block = blocks[at]
    if (!ANY_BLOCK.Check(block)) throw problem(ANY_BLOCK, block, `${path}.${at}`)
    const check = BLOCKS.get(block.type)
    if (check === undefined) continue
    if (isInResult && block.type === 'tool_result') {
      const param = `${path}.${at}`
      throw new GatewayError('invalid_request', { param, message: `${param}: a tool_result cannot hold another` })
    }
    if (!check.Check(block)) throw problem(check, block, `${path}.${at}`)
    if (block.type === 'tool_result' && Array.isArray(block.content)) {
      checkBlocks(block.content, `${path}.${at}.content`, true)
    }
  }
}

function demand(validator: LateValidator<TSchema>, value: unknown, path: string): void {
  if (!validator.Check(value)) throw problem(validator, value, path)
}

/** The most deeply nested error has the actual reason; those above it only repeat that there is one. */
function problem(validator: LateValidator<TSchema>, value: unknown, path: string): GatewayError {
  let best = { depth: -1, param: path, message: 'is not valid' }
  for (const error of validator.Errors(value)) {
    const segments = error.instancePath.split('/').slice(1)
    const missing = error.keyword === 'required' ? error.params.requiredProperties[0] : undefined
    if (missing !== undefined) segments.push(missing)
    if (segments.length <= best.depth) continue
    const param = (path === '' ? segments : [path, ...segments]).join('.')
    best = { depth: segments.length, param, message: missing === undefined ? error.message : 'is required' }
  }
  const subject = best.param === '' ? 'body' : best.param
  return new GatewayError('invalid_request', { param: subject, message: `${subject}: ${best.message}` })
}
