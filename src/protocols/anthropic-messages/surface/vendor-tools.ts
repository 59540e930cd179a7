// The vendor's tools that the client runs: a request names only their type, since the vendor's models know their parameters. Models of
// other vendors get them as functions with the published parameters; calls are returned under the same name.
// @see https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview
import { type JsonObject } from '../../../model/json.js'
import { type ToolDefinition } from '../../../model/request.js'
import { type ToolParam } from '../wire.js'

/** `bash_20250124`: the family and the date of its version. Toolsets, whose calls have further members, do not match. */
const VERSIONED = /^(bash|text_editor|computer|memory)_(\d{8})$/

type Family = {
  readonly description: string
  readonly parameters: (date: number) => JsonObject
}

const TEXT = { type: 'string' }
const LINES = { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 2 }
const POINT = { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 2 }

/** From this version on the editor cannot undo. */
const EDITOR_WITHOUT_UNDO = 20250429
/** Versions of computer use that added actions. */
const COMPUTER_WITH_HOLDING = 20250124
const COMPUTER_WITH_ZOOM = 20251124

const FAMILIES: Readonly<Record<string, Family>> = Object.freeze({
  bash: {
    description: 'Runs commands in a bash session that keeps its state between calls; `restart` starts a new one.',
    parameters: () => object({ command: TEXT, restart: { type: 'boolean' } }, []),
  },
  text_editor: {
    description: 'Views, creates and edits text files. `str_replace` needs the exact, unique `old_str`.',
    parameters: editorParameters,
  },
  computer: {
    description: 'Controls a screen with mouse and keyboard, and takes screenshots. Coordinates are pixels [x, y].',
    parameters: computerParameters,
  },
  memory: {
    description: 'Stores and reads notes as files below /memories, which last from one conversation to the next.',
    parameters: memoryParameters,
  },
})

/** The function for a vendor's tool that the client runs; null for any other. */
export function decodeVendorTool(tool: ToolParam): ToolDefinition | null {
  const [, family = '', date = ''] = VERSIONED.exec(tool.type ?? '') ?? []
  const found = FAMILIES[family]
  if (found === undefined || typeof tool.name !== 'string' || tool.name === '') return null
  const { display_width_px: width, display_height_px: height } = tool as JsonObject
  const screen = typeof width === 'number' && typeof height === 'number' ? ` The screen has ${width} x ${height}.` : ''
  return {
    name: tool.name,
    description: found.description + screen,
    parameters: found.parameters(Number(date)),
    strict: null,
  }
}

function editorParameters(date: number): JsonObject {
  const undo = date < EDITOR_WITHOUT_UNDO ? ['undo_edit'] : []
  return object(
    {
      command: { type: 'string', enum: ['view', 'create', 'str_replace', 'insert', ...undo] },
      path: TEXT,
      view_range: { ...LINES, description: 'First and last line of `view`; -1 is the end of the file.' },
      file_text: { ...TEXT, description: 'All of the file, for `create`.' },
      old_str: TEXT,
      new_str: { ...TEXT, description: 'The replacement, or the text to insert.' },
      insert_line: { type: 'integer', description: 'The line after which to insert; 0 is the beginning.' },
      ...(date < EDITOR_WITHOUT_UNDO ? {} : { insert_text: TEXT }),
    },
    ['command', 'path'],
  )
}

function computerParameters(date: number): JsonObject {
  const actions = ['key', 'type', 'mouse_move', 'left_click', 'left_click_drag', 'right_click', 'middle_click']
  actions.push('double_click', 'screenshot', 'cursor_position')
  const properties: JsonObject = { coordinate: POINT, text: { ...TEXT, description: 'Keys or text to type.' } }
  if (date >= COMPUTER_WITH_HOLDING) {
    actions.push('left_mouse_down', 'left_mouse_up', 'scroll', 'hold_key', 'wait', 'triple_click')
    properties.start_coordinate = POINT
    properties.scroll_direction = { type: 'string', enum: ['up', 'down', 'left', 'right'] }
    properties.scroll_amount = { type: 'integer' }
    properties.duration = { type: 'number', description: 'Seconds.' }
  }
  if (date >= COMPUTER_WITH_ZOOM) {
    actions.push('zoom')
    properties.region = { type: 'array', items: { type: 'integer' }, minItems: 4, maxItems: 4 }
  }
  return object({ action: { type: 'string', enum: actions }, ...properties }, ['action'])
}

function memoryParameters(): JsonObject {
  const commands = ['view', 'create', 'str_replace', 'insert', 'delete', 'rename']
  const paths = { path: TEXT, old_path: TEXT, new_path: TEXT }
  const texts = { file_text: TEXT, old_str: TEXT, new_str: TEXT, insert_text: TEXT }
  return object(
    {
      command: { type: 'string', enum: commands },
      ...paths,
      view_range: LINES,
      ...texts,
      insert_line: { type: 'integer' },
    },
    ['command'],
  )
}

function object(properties: JsonObject, required: string[]): JsonObject {
  return { type: 'object', properties, required }
}
