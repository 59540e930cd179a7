// Targets, providers and requests that tests start from: nothing special about any of them but what a test lays over it.
import { type ProviderConfig, type Timeouts } from '../../src/config/types.js'
import { type ChatRequest, NO_SAMPLING } from '../../src/model/request.js'
import { type Quirks, type Target } from '../../src/model/target.js'

/** A vendor that takes all of its wire, by the names that most know. */
export const PLAIN_QUIRKS: Quirks = Object.freeze({
  maxTokensField: 'max_tokens',
  streamOptions: true,
  developerRole: true,
  imageUrls: true,
  documents: true,
  jsonSchema: 'json-schema',
  reasoningRequest: 'reasoning_effort',
  reasoningField: 'reasoning_content',
  refusedFields: [],
  doneMarker: true,
  maxTemperature: 2,
  defaultMaxTokens: 4096,
  deploymentApiVersion: null,
  rawPredictVersion: null,
})

export function testTarget(protocol: string, over: Partial<Target> = {}, quirks: Partial<Quirks> = {}): Target {
  return { provider: 'p', protocol, model: 'm', extraBody: {}, ...over, quirks: { ...PLAIN_QUIRKS, ...quirks } }
}

export const TEST_TIMEOUTS: Timeouts = Object.freeze({
  connectMs: 2000,
  firstTokenMs: 5000,
  betweenTokensMs: 5000,
  totalMs: 10000,
})

/** A provider at this base URL. */
export function testProvider(baseUrl: string, over: Partial<ProviderConfig> = {}): ProviderConfig {
  return Object.freeze({
    name: 'test',
    profile: null,
    protocol: 'openai-chat',
    baseUrl,
    apiKey: null,
    auth: { kind: 'bearer' as const },
    headers: {},
    limits: { concurrency: null },
    timeouts: TEST_TIMEOUTS,
    quirks: PLAIN_QUIRKS,
    modelPatterns: [],
    knownModels: [],
    extraBody: {},
    keepAliveMs: 60000,
    maxConnections: null,
    ...over,
  })
}

/** A canonical request: one short turn of a user. */
export function request(over: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: 'm',
    stream: true,
    includeUsage: false,
    system: [],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    responseFormat: null,
    reasoning: null,
    sampling: NO_SAMPLING,
    user: null,
    extensions: {},
    ...over,
  }
}
