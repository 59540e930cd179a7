// The members below the top level of a responses body that its decoder reads. decode-tools.ts reports tools that are left out.
import { type Shape } from '../fit/left-over.js'

const TEXT: Shape = {
  // What the vendor adds to its own texts says nothing to another model.
  members: { type: true, text: true, annotations: true, logprobs: true, prompt_cache_breakpoint: true },
}

const PART: Shape = {
  byType: {
    input_text: TEXT,
    output_text: TEXT,
    refusal: { members: { type: true, refusal: true } },
    input_image: {
      members: { type: true, image_url: true, file_id: true, detail: true, prompt_cache_breakpoint: true },
    },
    input_file: {
      members: {
        type: true,
        file_data: true,
        file_url: true,
        file_id: true,
        filename: true,
        prompt_cache_breakpoint: true,
      },
    },
  },
}

/** Of all items: ids and states of an answer that comes back. */
const COMMON = { type: true, id: true, status: true, created_by: true } as const
const CALL: Shape = {
  members: { ...COMMON, call_id: true, name: true, namespace: true, arguments: true, input: true, caller: true },
}
const RESULT: Shape = { members: { ...COMMON, call_id: true, output: { items: PART }, caller: true } }
const MESSAGE: Shape = { members: { ...COMMON, role: true, content: { items: PART }, phase: true } }

const ITEM: Shape = {
  byType: {
    message: MESSAGE,
    function_call: CALL,
    custom_tool_call: CALL,
    function_call_output: RESULT,
    custom_tool_call_output: RESULT,
  },
}

const FUNCTION: Shape = {
  members: {
    ...{ type: true, name: true, description: true, parameters: true, strict: true },
    // Whether a tool waits for a search, and who may call it, are the vendor's own affairs.
    ...{ defer_loading: true, allowed_callers: true },
  },
}

/** The shapes of the top-level members that are read in parts. */
export const KNOWN_MEMBERS: Readonly<Record<string, Shape>> = Object.freeze<Record<string, Shape>>({
  input: { items: ITEM },
  tools: { items: { byType: { function: FUNCTION } } },
  // A summary of the reasoning is what clients get in any case.
  reasoning: { members: { effort: true, summary: true, generate_summary: true } },
  text: {
    members: {
      format: {
        byType: { json_schema: { members: { type: true, name: true, description: true, schema: true, strict: true } } },
      },
      verbosity: true,
    },
  },
  stream_options: { members: { include_obfuscation: true, include_usage: true } },
})
