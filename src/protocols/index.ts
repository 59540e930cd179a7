// The registry: one line per wire API. The only barrel that knows them all.
import { anthropicMessages } from './anthropic-messages/index.js'
import { type Protocol } from './protocol.js'

export const PROTOCOLS: readonly Protocol[] = Object.freeze([anthropicMessages])
