// Nothing that a client sends to a target of another protocol vanishes in silence: each field changes what leaves for the
// target, or is named as dropped, or is refused by its path. A field that does none of the three needs a reason here.
import { test } from 'tap'
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/model/json.js'
import { type Dialect, type Surface } from '../../src/protocols/contract/protocol.js'
import { DIALECTS, SURFACES, sendRequest } from '../helpers/matrix.js'

/** A member that is set, by its path in the whole request, and its value. */
type Probe = readonly [path: string, value: JsonValue]

const PNG = 'iVBORw0KGgo='
const CACHE = { type: 'ephemeral' }
const SCHEMA = { type: 'object', properties: { a: { type: 'string' } } }

const WHOLE: Readonly<Record<string, JsonObject>> = {
  'openai-chat': {
    model: 'm',
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look.' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
        ],
      },
      {
        role: 'assistant',
        content: [{ type: 'text', text: 'I will.' }],
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'done' },
      { role: 'assistant', content: 'Done.' },
      { role: 'user', content: [{ type: 'text', text: 'And?' }] },
    ],
    tools: [{ type: 'function', function: { name: 'f', description: 'd', parameters: SCHEMA } }],
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: SCHEMA } },
    stream: true,
    stream_options: { include_usage: true },
  },
  'openai-responses': {
    model: 'm',
    instructions: 'Be brief.',
    input: [
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_text', text: 'Look.' },
          { type: 'input_image', image_url: `data:image/png;base64,${PNG}`, detail: 'auto' },
        ],
      },
      {
        type: 'reasoning',
        id: 'r1',
        summary: [{ type: 'summary_text', text: 'hm' }],
        encrypted_content: 'sluice:s:EqQB',
      },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I will.', annotations: [] }] },
      { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c1', output: 'done' },
      { type: 'message', role: 'assistant', content: 'Done.' },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'And?' }] },
    ],
    tools: [{ type: 'function', name: 'f', description: 'd', parameters: SCHEMA, strict: false }],
    text: { format: { type: 'json_schema', name: 'n', schema: SCHEMA } },
    reasoning: {},
    include: [],
    stream: true,
    stream_options: {},
  },
  'ollama-chat': {
    model: 'm',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Look.', images: [PNG] },
      {
        role: 'assistant',
        content: 'I will.',
        thinking: 'hm',
        tool_calls: [{ id: 'c1', function: { name: 'f', arguments: {} } }],
      },
      { role: 'tool', tool_name: 'f', tool_call_id: 'c1', content: 'done' },
      { role: 'assistant', content: 'Done.' },
      { role: 'user', content: 'And?' },
    ],
    tools: [{ type: 'function', function: { name: 'f', description: 'd', parameters: SCHEMA } }],
    format: SCHEMA,
    options: {},
  },
  'google-gemini': {
    systemInstruction: { parts: [{ text: 'Be brief.' }] },
    contents: [
      { role: 'user', parts: [{ text: 'Look.' }, { inlineData: { mimeType: 'image/png', data: PNG } }] },
      {
        role: 'model',
        parts: [
          { text: 'hm', thought: true, thoughtSignature: Buffer.from('sluice:s:EqQB').toString('base64') },
          { text: 'I will.' },
          { functionCall: { id: 'c1', name: 'f', args: {} } },
        ],
      },
      { role: 'user', parts: [{ functionResponse: { id: 'c1', name: 'f', response: { result: 'done' } } }] },
      { role: 'model', parts: [{ text: 'Done.' }] },
      { role: 'user', parts: [{ text: 'And?' }] },
    ],
    tools: [{ functionDeclarations: [{ name: 'f', description: 'd', parametersJsonSchema: SCHEMA }] }],
    toolConfig: { functionCallingConfig: { mode: 'AUTO' } },
    generationConfig: { responseMimeType: 'application/json', responseJsonSchema: SCHEMA },
  },
  'anthropic-messages': {
    model: 'm',
    max_tokens: 20_000,
    system: [{ type: 'text', text: 'Be brief.' }],
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look.' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Rivers.' } },
          { type: 'search_result', title: 't', source: 's', content: [{ type: 'text', text: 'Found.' }] },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 'EqQB' },
          { type: 'text', text: 'I will.' },
          { type: 'tool_use', id: 'c1', name: 'f', input: {} },
        ],
      },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: 'c1', content: [{ type: 'text', text: 'done' }] }],
      },
      { role: 'assistant', content: 'Done.' },
      { role: 'user', content: [{ type: 'text', text: 'And?' }] },
    ],
    tools: [{ name: 'f', description: 'd', input_schema: SCHEMA }],
    tool_choice: { type: 'auto' },
    output_config: { format: { type: 'json_schema', schema: SCHEMA } },
    metadata: {},
  },
}

const PROBES: Readonly<Record<string, readonly Probe[]>> = {
  'openai-chat': [
    ['messages.0.name', 'ann'],
    ['messages.0.content.0.text', 'x'],
    ['messages.1.name', 'ann'],
    ['messages.1.content', 'x'],
    ['messages.1.content.1.image_url.detail', 'high'],
    ['messages.1.content.1.image_url.url', 'https://example.com/a.png'],
    ['messages.1.content.2', { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }],
    ['messages.1.content.2', { type: 'file', file: { file_id: 'file-1' } }],
    ['messages.1.content.2', { type: 'file', file: { file_data: 'data:application/pdf;base64,JVBE' } }],
    ['messages.1.content.2', { type: 'video_url', video_url: { url: 'https://example.com/a.mp4' } }],
    ['messages.2.name', 'ann'],
    ['messages.2.audio', { id: 'audio_1' }],
    ['messages.2.refusal', 'No.'],
    ['messages.2.function_call', { name: 'f', arguments: '{"a":"1"}' }],
    ['messages.2.reasoning_content', 'hm'],
    ['messages.2.reasoning', 'hm'],
    ['messages.2.reasoning_details', [{ type: 'reasoning.text', text: 'hm' }]],
    ['messages.2.annotations', [{ type: 'url_citation' }]],
    ['messages.2.content.1', { type: 'refusal', refusal: 'No.' }],
    ['messages.2.tool_calls.0.function.arguments', '{"a":"1"}'],
    ['messages.3.content', 'failed'],
    ['messages.5.content.1', { type: 'text', text: 'x' }],
    ['messages.5.weight', 1],
    ['tools.0.function.strict', true],
    ['tools.0.function.description', 'x'],
    ['tools.0.function.parameters', { type: 'object', properties: { b: { type: 'string' } } }],
    ['tools.0.function.extra', 'x'],
    ['tools.0.extra', 'x'],
    ['tools.1', { type: 'custom', custom: { name: 'g' } }],
    ['tools', [{ type: 'web_search' }]],
    ['functions', [{ name: 'g', parameters: SCHEMA }]],
    ['tool_choice', 'required'],
    ['tool_choice', 'none'],
    ['tool_choice', { type: 'function', function: { name: 'f' } }],
    ['tool_choice', { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [] } }],
    ['function_call', { name: 'f' }],
    ['parallel_tool_calls', false],
    ['response_format', { type: 'json_object' }],
    ['response_format', { type: 'grammar', grammar: 'x' }],
    ['response_format.json_schema.schema', { type: 'object' }],
    ['response_format.json_schema.extra', 'x'],
    ['reasoning_effort', 'high'],
    ['reasoning_effort', 'unheard-of'],
    ['reasoning', { effort: 'high' }],
    ['reasoning', { max_tokens: 2048 }],
    ['reasoning', { exclude: true }],
    ['reasoning', { summary: 'auto' }],
    ['temperature', 0.5],
    ['top_p', 0.5],
    ['top_k', 7],
    ['min_p', 0.1],
    ['max_tokens', 9000],
    ['max_completion_tokens', 9000],
    ['frequency_penalty', 0.5],
    ['presence_penalty', 0.5],
    ['repetition_penalty', 1.1],
    ['seed', 7],
    ['stop', 'x'],
    ['stop', ['x', 'y']],
    ['n', 2],
    ['logprobs', true],
    ['top_logprobs', 2],
    ['logit_bias', { '1': 1 }],
    ['metadata', { a: 'b' }],
    ['user', 'ann'],
    ['audio', { voice: 'alloy', format: 'wav' }],
    ['modalities', ['text', 'audio']],
    ['moderation', {}],
    ['prediction', { type: 'content', content: 'x' }],
    ['prompt_cache_key', 'k'],
    ['prompt_cache_options', {}],
    ['prompt_cache_retention', '24h'],
    ['safety_identifier', 's'],
    ['service_tier', 'flex'],
    ['store', true],
    ['stream_options.include_obfuscation', false],
    ['verbosity', 'low'],
    ['web_search_options', {}],
    ['provider', { order: ['a'] }],
    ['unheard_of', 1],
  ],
  'openai-responses': [
    ['instructions', 'Be kind.'],
    ['input', 'Hello'],
    ['input.0.content.0.text', 'x'],
    ['input.0.content', 'x'],
    ['input.0.content.1.image_url', 'https://example.com/a.png'],
    ['input.0.content.1.detail', 'high'],
    ['input.0.content.1.crop', [0, 0, 1, 1]],
    ['input.0.content.2', { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }],
    ['input.0.content.2', { type: 'input_file', file_data: 'data:application/pdf;base64,JVBE' }],
    ['input.0.content.2', { type: 'input_file', file_url: 'https://example.com/a.pdf' }],
    ['input.0.content.2', { type: 'input_file', file_id: 'file-1' }],
    ['input.0.extra', 'x'],
    ['input.1.summary.0.text', 'hmm'],
    ['input.1.encrypted_content', 'sluice:r:EmwK'],
    ['input.2.content.0.text', 'x'],
    ['input.2.content.0.extra', 'x'],
    ['input.2.content.1', { type: 'refusal', refusal: 'No.' }],
    ['input.3.arguments', '{"a":"1"}'],
    ['input.3.namespace', 'n'],
    ['input.3.extra', 'x'],
    ['input.4.output', 'failed'],
    ['input.4.output', [{ type: 'input_text', text: 'x' }]],
    ['input.4.extra', 'x'],
    ['input.5', { type: 'web_search_call', id: 'w', status: 'completed' }],
    ['input.5', { type: 'compaction', encrypted_content: 'x' }],
    ['input.5', { type: 'item_reference', id: 'msg_1' }],
    ['input.5', { type: 'tool_search_call', call_id: 'c9', execution: 'client', arguments: {} }],
    ['input.5', { type: 'tool_search_output', call_id: 'c9', execution: 'client', tools: [] }],
    ['input.5', { type: 'additional_tools', role: 'developer', tools: [{ type: 'custom', name: 'g' }] }],
    ['input.7', { type: 'message', role: 'developer', content: 'Now in French.' }],
    ['tools.0.description', 'x'],
    ['tools.0.strict', true],
    ['tools.0.parameters', { type: 'object', properties: { b: { type: 'string' } } }],
    ['tools.0.extra', 'x'],
    ['tools.1', { type: 'custom', name: 'g' }],
    ['tools.1', { type: 'custom', name: 'g', format: { type: 'grammar', syntax: 'lark', definition: 'start: "a"' } }],
    ['tools.1', { type: 'namespace', name: 'n', tools: [{ type: 'function', name: 'g', parameters: SCHEMA }] }],
    ['tools.1', { type: 'tool_search', execution: 'client' }],
    ['tools.1', { type: 'web_search' }],
    ['tools', [{ type: 'web_search' }]],
    ['tool_choice', 'required'],
    ['tool_choice', { type: 'function', name: 'f' }],
    ['tool_choice', { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'f' }] }],
    ['tool_choice', { type: 'mcp', server_label: 's' }],
    ['parallel_tool_calls', false],
    ['max_output_tokens', 100],
    ['max_tool_calls', 2],
    ['reasoning.effort', 'high'],
    ['reasoning.effort', 'unheard-of'],
    ['reasoning.extra', 'x'],
    ['text.format', { type: 'grammar' }],
    ['text.format.schema', { type: 'object' }],
    ['text.format.extra', 'x'],
    ['text.verbosity', 'low'],
    ['temperature', 0.5],
    ['top_p', 0.5],
    ['top_logprobs', 2],
    ['truncation', 'auto'],
    ['include', ['message.output_text.logprobs']],
    ['include', ['reasoning.encrypted_content']],
    ['metadata', { a: 'b' }],
    ['prompt_cache_key', 'k'],
    ['prompt_cache_retention', '24h'],
    ['safety_identifier', 's'],
    ['service_tier', 'flex'],
    ['user', 'ann'],
    ['store', true],
    ['background', true],
    ['previous_response_id', 'resp_1'],
    ['conversation', 'conv_1'],
    ['prompt', { id: 'pmpt_1' }],
    ['stream_options.include_obfuscation', false],
    ['stream_options.extra', 'x'],
    ['context_management', [{ type: 'compaction' }]],
    ['unheard_of', 1],
  ],
  'ollama-chat': [
    ['messages.0.content', 'Be kind.'],
    ['messages.1.content', 'Here.'],
    ['messages.1.images', ['/9j/4AAQSkZJRg==']],
    ['messages.1.extra', 'x'],
    ['messages.2.content', 'No.'],
    ['messages.2.thinking', 'hmm'],
    ['messages.2.tool_calls.0.function.name', 'g'],
    ['messages.2.tool_calls.0.function.arguments', { a: '1' }],
    ['messages.2.tool_calls.0.function.extra', 'x'],
    ['messages.3.content', 'failed'],
    ['messages.3.images', [PNG]],
    ['messages.5', { role: 'system', content: 'Now in French.' }],
    ['messages', []],
    ['tools.0.function.description', 'e'],
    ['tools.0.function.parameters', { type: 'object', properties: { b: {} } }],
    ['tools.0.function.strict', true],
    ['tools.0.function.extra', 'x'],
    ['tools.1', { type: 'function', function: { name: 'g' } }],
    ['tool_choice', 'required'],
    ['format', 'json'],
    ['format', 'grammar'],
    ['format', { type: 'object' }],
    ['stream', false],
    ['think', 'high'],
    ['think', 'max'],
    ['think', 'unheard-of'],
    ['keep_alive', '5m'],
    ['options.temperature', 0.5],
    ['options.top_p', 0.5],
    ['options.top_k', 7],
    ['options.num_predict', 100],
    ['options.stop', ['x']],
    ['options.stop', 'x'],
    ['options.seed', 7],
    ['options.frequency_penalty', 0.5],
    ['options.presence_penalty', 0.5],
    ['options.repeat_penalty', 1.1],
    ['options.typical_p', 0.5],
    ['options.num_ctx', 8192],
    ['options.unheard_of', 1],
    ['logprobs', true],
    ['truncate', false],
    ['unheard_of', 1],
  ],
  'google-gemini': [
    ['systemInstruction.parts.0.text', 'Be kind.'],
    ['systemInstruction.parts.1', { inlineData: { mimeType: 'image/png', data: PNG } }],
    ['system_instruction', { parts: { text: 'Be kind.' } }],
    ['contents.0.extra', 'x'],
    ['contents.0.parts.0.extra', 'x'],
    ['contents.0.parts.0.videoMetadata', { fps: 1 }],
    ['contents.0.parts.1.inlineData', { mimeType: 'image/png', data: 'AAAA' }],
    ['contents.0.parts.1', { inlineData: { mimeType: 'audio/wav', data: 'UklG' } }],
    ['contents.0.parts.1', { inlineData: { mimeType: 'text/plain', data: 'aGk=' } }],
    ['contents.0.parts.1', { fileData: { mimeType: 'application/pdf', fileUri: 'https://example.com/a.pdf' } }],
    ['contents.0.parts.1', { fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/a' } }],
    ['contents.0.parts.1', { fileData: { fileUri: 'https://www.youtube.com/watch?v=a' } }],
    ['contents.0.parts.1', { unheardOf: {} }],
    ['contents.1.parts.0.text', 'hmm'],
    ['contents.1.parts.0.thoughtSignature', Buffer.from('sluice:r:EmwK').toString('base64')],
    ['contents.1.parts.1.text', 'No.'],
    ['contents.1.parts.2.functionCall.args', { a: '1' }],
    ['contents.1.parts.2.functionCall.name', 'g'],
    ['contents.1.parts.3', { executableCode: { language: 'PYTHON', code: '1+1' } }],
    ['contents.1.parts.3', { inlineData: { mimeType: 'image/png', data: PNG } }],
    ['contents.2.parts.0.functionResponse.response', { error: 'no' }],
    ['contents.2.parts.0.functionResponse.response', { degrees: 21 }],
    ['contents.2.parts.0.functionResponse.parts', [{ inlineData: { mimeType: 'image/png', data: PNG } }]],
    ['contents.2.parts.0.functionResponse.scheduling', 'SILENT'],
    ['contents.5', { role: 'user', parts: [{ text: 'Now.' }] }],
    ['tools.0.functionDeclarations.0.description', 'e'],
    ['tools.0.functionDeclarations.0.parametersJsonSchema', { type: 'object', properties: { b: {} } }],
    ['tools.0.functionDeclarations.0.response', { type: 'STRING' }],
    ['tools.0.functionDeclarations.0.behavior', 'BLOCKING'],
    ['tools.0.functionDeclarations.1', { name: 'g', parameters: { type: 'OBJECT' } }],
    ['tools.1', { googleSearch: {} }],
    ['tools', [{ codeExecution: {} }]],
    ['toolConfig.functionCallingConfig', { mode: 'ANY' }],
    ['toolConfig.functionCallingConfig', { mode: 'ANY', allowedFunctionNames: ['f'] }],
    ['toolConfig.functionCallingConfig', { mode: 'NONE' }],
    ['toolConfig.functionCallingConfig', { mode: 'VALIDATED' }],
    ['toolConfig.functionCallingConfig.extra', 'x'],
    ['toolConfig.retrievalConfig', { languageCode: 'en' }],
    ['generationConfig.temperature', 0.5],
    ['generationConfig.topP', 0.5],
    ['generationConfig.topK', 7],
    ['generationConfig.maxOutputTokens', 100],
    ['generationConfig.max_output_tokens', 100],
    ['generationConfig.candidateCount', 2],
    ['generationConfig.stopSequences', ['x']],
    ['generationConfig.seed', 7],
    ['generationConfig.presencePenalty', 0.5],
    ['generationConfig.frequencyPenalty', 0.5],
    ['generationConfig.responseMimeType', 'text/x.enum'],
    ['generationConfig.responseJsonSchema', { type: 'object' }],
    ['generationConfig', { responseMimeType: 'application/json', responseSchema: { type: 'OBJECT' } }],
    ['generationConfig.thinkingConfig', { thinkingBudget: 2048 }],
    ['generationConfig.thinkingConfig', { thinkingLevel: 'HIGH' }],
    ['generationConfig.thinkingConfig', { thinkingBudget: -1 }],
    ['generationConfig.thinkingConfig', { thinkingBudget: 0 }],
    ['generationConfig.thinkingConfig', { extra: 'x' }],
    ['generationConfig.responseSchema', { type: 'OBJECT' }],
    ['generationConfig.responseModalities', ['IMAGE']],
    ['generationConfig.responseLogprobs', true],
    ['generationConfig.speechConfig', {}],
    ['generationConfig.mediaResolution', 'MEDIA_RESOLUTION_LOW'],
    ['generationConfig.unheardOf', 1],
    ['safetySettings', [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }]],
    ['cachedContent', 'cachedContents/a'],
    ['labels', { a: 'b' }],
    ['serviceTier', 'flex'],
    ['store', true],
    ['unheard_of', 1],
  ],
  'anthropic-messages': [
    ['max_tokens', 19_000],
    ['system', 'Be kind.'],
    ['system.0.citations', [{ type: 'char_location' }]],
    ['messages.0.content.0.citations', [{ type: 'char_location' }]],
    ['messages.0.content.1.source', { type: 'url', url: 'https://example.com/a.png' }],
    ['messages.0.content.1.source', { type: 'file', file_id: 'f' }],
    ['messages.0.content.1.transformations', { crop: [0, 0, 1, 1] }],
    ['messages.0.content.2.title', 't'],
    ['messages.0.content.2.context', 'c'],
    ['messages.0.content.2.citations', { enabled: true }],
    ['messages.0.content.2.source', { type: 'base64', media_type: 'application/pdf', data: 'JVBE' }],
    ['messages.0.content.2.source', { type: 'file', file_id: 'f' }],
    ['messages.0.content.2.source', { type: 'content', content: [{ type: 'text', text: 'x' }] }],
    ['messages.0.content.3.citations', { enabled: true }],
    ['messages.0.content.3.content.0.text', 'x'],
    ['messages.0.content.4', { type: 'container_upload', file_id: 'f' }],
    ['messages.1.content.0', { type: 'redacted_thinking', data: 'EmwK' }],
    ['messages.1.content.0.thinking', 'hmm'],
    ['messages.1.content.1.citations', [{ type: 'char_location' }]],
    ['messages.1.content.2.input', { a: '1' }],
    ['messages.1.content.2.toolset_name', 'computer'],
    ['messages.1.content.3', { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }],
    ['messages.2.content.0.is_error', true],
    ['messages.2.content.0.toolset_name', 'computer'],
    ['messages.2.content.0.content', 'x'],
    ['messages.2.content.0.content.0', { type: 'tool_reference', tool_name: 'f' }],
    ['messages.4', { role: 'system', content: 'Now in French.' }],
    ['tools.0.strict', true],
    ['tools.0.input_schema', { type: 'object' }],
    ['tools.0.input_examples', [{}]],
    ['tools.0.allowed_callers', ['direct']],
    ['tools.0.eager_input_streaming', true],
    ['tools.1', { type: 'web_search_20250305', name: 'web_search' }],
    ['tools.1', { type: 'bash_20250124', name: 'bash' }],
    ['tools', [{ type: 'web_search_20250305', name: 'web_search' }]],
    ['tool_choice', { type: 'any' }],
    ['tool_choice', { type: 'none' }],
    ['tool_choice', { type: 'tool', name: 'f' }],
    ['tool_choice.disable_parallel_tool_use', true],
    ['thinking', { type: 'enabled', budget_tokens: 2048 }],
    ['thinking', { type: 'disabled' }],
    ['thinking', { type: 'adaptive', display: 'omitted' }],
    ['output_config.effort', 'high'],
    ['output_config.effort', 'unheard-of'],
    ['output_config.format', { type: 'grammar' }],
    ['output_config.format.schema', { type: 'object' }],
    ['output_config.task_budget', { type: 'tokens', total: 1 }],
    ['output_format', { type: 'grammar' }],
    ['metadata.user_id', 'ann'],
    ['metadata.extra', 'x'],
    ['stop_sequences', ['x']],
    ['temperature', 0.5],
    ['top_p', 0.5],
    ['top_k', 7],
    ['stream', true],
    ['cache_control', CACHE],
    ['container', 'c'],
    ['context_management', { edits: [] }],
    ['mcp_servers', [{ type: 'url', url: 'https://x', name: 'n' }]],
    ['service_tier', 'auto'],
    ['inference_geo', 'us'],
    ['speed', 'fast'],
    ['diagnostics', {}],
    ['unheard_of', 1],
  ],
}

/** `path` or `path > dialect`: what may pass without a trace, and why. */
const SILENT: Readonly<Record<string, string>> = {
  include: 'every answer has the encrypted reasoning that there is; other values are named',
  metadata: 'a label, which the answer repeats',
  store: 'nothing is stored anywhere, and the answer says so',
  background: 'the gateway runs the request itself, as a stream of its own',
  previous_response_id: 'the gateway puts the earlier turns before the input, ahead of any translation',
  'stream_options.include_obfuscation': 'padding, which this gateway never adds',
  'messages.1.content.0 > openai-chat': 'thinking of earlier turns is named in any case',
  'messages.1.content.0 > openai-responses': 'thinking of earlier turns is named in any case',
  'messages.1.content.0.thinking > openai-responses': 'thinking of earlier turns is named in any case',
  'input.1.summary.0.text > openai-chat': 'thinking of earlier turns is named in any case',
  'input.1.encrypted_content > openai-chat': 'thinking of earlier turns is named in any case',
  'messages.2.thinking > openai-chat': 'thinking of earlier turns is named in any case',
  'messages.2.thinking > openai-responses': 'thinking of earlier turns is named in any case',
  'messages.2.thinking > anthropic-messages': 'thinking without a signature is named in any case',
  'contents.1.parts.0.text > openai-chat': 'thinking of earlier turns is named in any case',
  'contents.1.parts.0.text > openai-responses': 'thinking of earlier turns is named in any case',
  'contents.1.parts.0.thoughtSignature > openai-chat': 'thinking of earlier turns is named in any case',
  'contents.1.parts.0.thoughtSignature > openai-responses': 'thinking of earlier turns is named in any case',
  'messages.1.content.0.thinking > openai-chat': 'thinking of earlier turns is named in any case',
}

/** The request with the member set, or left out where `value` is undefined; objects and lists on the way are those of `body`, copied. */
function withMember(body: JsonObject, path: string, value: JsonValue | undefined): JsonObject {
  const copy = structuredClone(body)
  const steps = path.split('.')
  const last = steps.pop() ?? ''
  let at: JsonValue = copy
  for (const step of steps) {
    const next: JsonValue | undefined = Array.isArray(at) ? at[Number(step)] : isJsonObject(at) ? at[step] : undefined
    if (next === undefined || next === null) throw new Error(`${path}: no ${step}`)
    at = next
  }
  if (Array.isArray(at)) at.splice(Number(last), 1, ...(value === undefined ? [] : [value]))
  else if (isJsonObject(at) && value === undefined) delete at[last]
  else if (isJsonObject(at)) at[last] = value ?? null
  else throw new Error(`${path}: no place for ${last}`)
  return copy
}

/** The probes that leave no trace, and those that are refused without a path. */
function findSilent(surface: Surface, dialect: Dialect, { whole, probes }: Case): string[] {
  const plain = sendRequest(surface, dialect, whole)
  if ('refused' in plain) throw new Error(plain.refused.message)
  return probes.flatMap(([path, value]) => {
    const sent = sendRequest(surface, dialect, withMember(whole, path, value))
    const name = `${path} = ${JSON.stringify(value)}`
    if ('refused' in sent) return sent.refused.param === null ? [`${name} is refused without a path`] : []
    // A value that takes another's place must leave a trace of its own: that the other one is gone is none.
    const without = sendRequest(surface, dialect, withMember(whole, path, undefined))
    const bases = 'refused' in without ? [plain] : [plain, without]
    const isNamed = bases.every(({ dropped }) => sent.dropped.some((field) => !dropped.includes(field)))
    const isCarried = bases.every(
      (base) => sent.path !== base.path || JSON.stringify(sent.body) !== JSON.stringify(base.body),
    )
    const isExcused = path in SILENT || `${path} > ${dialect.id}` in SILENT
    return isNamed || isCarried || isExcused ? [] : [name]
  })
}

type Case = { readonly whole: JsonObject; readonly probes: readonly Probe[] }

/** A member that holds many parameters. */
const MANY = 8

/** The members of a body; of one that holds many parameters, those. */
function fieldsOf(schema: unknown): string[] {
  const properties = isJsonObject(schema) && isJsonObject(schema.properties) ? schema.properties : {}
  return Object.entries(properties).flatMap(([name, inner]) => {
    const own = isJsonObject(inner) && isJsonObject(inner.properties) ? Object.keys(inner.properties) : []
    return own.length < MANY ? [name] : own.map((member) => `${name}.${member}`)
  })
}

for (const surface of SURFACES) {
  const whole = WHOLE[surface.id] ?? {}
  const probes = PROBES[surface.id] ?? []
  test(`${surface.id}: every field of its schema is probed`, async (t) => {
    const body = surface.describe?.().body
    const fields = fieldsOf(body)
    t.ok(fields.length > 10)
    const paths = [...probes.map(([path]) => path), ...Object.keys(whole)]
    const probed = new Set(
      paths.flatMap((path) => path.split('.').map((_, i, steps) => steps.slice(0, i + 1).join('.'))),
    )
    t.strictSame(
      fields.filter((field) => !probed.has(field)),
      [],
    )
  })
  for (const dialect of DIALECTS) {
    if (dialect.id === surface.id) continue
    test(`${surface.id} to ${dialect.id}: each field is carried, named as dropped, or refused`, async (t) => {
      t.strictSame(findSilent(surface, dialect, { whole, probes }), [])
    })
  }
}

test('the law finds what a dialect leaves out', async (t) => {
  const [surface] = SURFACES
  const dialect = DIALECTS.find(({ id }) => id === 'ollama-chat')
  if (surface === undefined || dialect === undefined) throw new Error('no surface or dialect')
  const deaf: Dialect = { ...dialect, encodeRequest: () => ({ body: {}, dropped: [] }) }
  const probes: Probe[] = [['seed', 7]]
  const whole = WHOLE[surface.id] ?? {}
  t.strictSame(findSilent(surface, deaf, { whole, probes }), ['seed = 7'])
  t.strictSame(findSilent(surface, dialect, { whole, probes }), [])
})

test('the law finds a value that vanishes together with the one whose place it took', async (t) => {
  const surface = SURFACES.find(({ id }) => id === 'openai-chat')
  const dialect = DIALECTS.find(({ id }) => id === 'ollama-chat')
  if (surface === undefined || dialect === undefined) throw new Error('no surface or dialect')
  const deaf: Surface = {
    ...surface,
    decodeRequest: (body, prompt) => ({ ...surface.decodeRequest(body, prompt), extensions: {} }),
  }
  const probes: Probe[] = [['response_format', { type: 'grammar', grammar: 'x' }]]
  const whole = WHOLE[surface.id] ?? {}
  t.strictSame(findSilent(deaf, dialect, { whole, probes }), ['response_format = {"type":"grammar","grammar":"x"}'])
  t.strictSame(findSilent(surface, dialect, { whole, probes }), [])
})
