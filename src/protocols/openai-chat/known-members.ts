// The members below the top level of a chat completions body that its decoder reads.
import { type Shape } from '../fit/left-over.js'

const CALL: Shape = { members: { name: true, arguments: true } }

const PART: Shape = {
  byType: {
    text: { members: { type: true, text: true, cache_control: true, prompt_cache_breakpoint: true } },
    refusal: { members: { type: true, refusal: true } },
    image_url: {
      members: {
        type: true,
        image_url: { members: { url: true, detail: true } },
        cache_control: true,
        prompt_cache_breakpoint: true,
      },
    },
    file: {
      members: {
        type: true,
        file: { members: { file_data: true, file_id: true, filename: true } },
        cache_control: true,
        prompt_cache_breakpoint: true,
      },
    },
  },
}

const MESSAGE: Shape = {
  members: {
    role: true,
    content: { items: PART },
    // decode-request.ts reports the members `name` and `audio` as dropped.
    name: true,
    audio: true,
    refusal: true,
    reasoning: true,
    reasoning_content: true,
    tool_calls: {
      // Clients that assemble messages from a stream leave `index` in them.
      items: { members: { id: true, type: true, index: true, function: CALL, extra_content: true } },
    },
    function_call: CALL,
    tool_call_id: true,
  },
}

const FUNCTION: Shape = { members: { name: true, description: true, parameters: true, strict: true } }

const FORMAT: Shape = { members: { name: true, description: true, schema: true, strict: true } }

/** The shapes of the top-level members that are read in parts. */
export const KNOWN_MEMBERS: Readonly<Record<string, Shape>> = Object.freeze<Record<string, Shape>>({
  messages: { items: MESSAGE },
  tools: { items: { members: { type: true, function: FUNCTION, cache_control: true } } },
  functions: { items: FUNCTION },
  response_format: {
    byType: { json_schema: { members: { type: true, json_schema: FORMAT } } },
  },
  reasoning: { members: { effort: true, max_tokens: true, enabled: true } },
})
