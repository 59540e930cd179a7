// The members below the top level of a Messages body that its decoder reads. decode-tools.ts has a separate list for tools.
import { type Shape } from '../fit/left-over.js'

const SOURCE: Shape = true
const TEXT: Shape = { members: { type: true, text: true, cache_control: true, citations: true } }

/** Blocks of a user, a tool's result and a model; the decoders of other types report what is lost. */
const BLOCKS: Readonly<Record<string, Shape>> = {
  text: TEXT,
  image: { members: { type: true, source: SOURCE, cache_control: true } },
  document: {
    members: { type: true, source: SOURCE, title: true, context: true, citations: true, cache_control: true },
  },
  search_result: {
    members: { type: true, source: true, title: true, content: true, citations: true, cache_control: true },
  },
  // `caller` says that the model itself made the call, which is always so at other vendors.
  tool_use: { members: { type: true, id: true, name: true, input: true, caller: true, cache_control: true } },
  thinking: { members: { type: true, thinking: true, signature: true } },
}

const RESULT: Shape = {
  members: {
    type: true,
    tool_use_id: true,
    content: { items: { byType: BLOCKS } },
    is_error: true,
    cache_control: true,
  },
}

const FORMAT: Shape = { members: { type: true, schema: true } }

/** The shapes of the top-level members that are read in parts. */
export const KNOWN_MEMBERS: Readonly<Record<string, Shape>> = Object.freeze<Record<string, Shape>>({
  system: { items: { members: { type: true, text: true, cache_control: true } } },
  messages: {
    items: { members: { role: true, content: { items: { byType: { ...BLOCKS, tool_result: RESULT } } } } },
  },
  tool_choice: { members: { type: true, name: true, disable_parallel_tool_use: true } },
  // `display` only affects how the vendor shows its thinking.
  thinking: { members: { type: true, budget_tokens: true, display: true } },
  output_config: { members: { effort: true, format: FORMAT } },
  output_format: FORMAT,
  metadata: { members: { user_id: true } },
})
