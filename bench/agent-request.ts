// What a coding agent sends at each of its steps: the whole conversation so far and all its tools. Code and tool results, so that a
// string holds an escape every few dozen bytes. 121 messages and 25 tools, 215 KB.

const TOOLS = 25
const STEPS = 40
const SYSTEM_CHARS = 12_000

/** The members `messages` and `tools` of a chat completion. */
export function agentMembers(): { messages: object[]; tools: object[] } {
  const messages: object[] = [{ role: 'system', content: code(SYSTEM_CHARS, 1) }]
  for (let step = 0; step < STEPS; step++) {
    const id = `call_${step}`
    const called = {
      name: `tool_${step % TOOLS}`,
      arguments: JSON.stringify({ path: `src/${step}.ts`, text: code(300, step) }),
    }
    messages.push(
      { role: 'user', content: code(600, step) },
      { role: 'assistant', content: code(200, step), tool_calls: [{ id, type: 'function', function: called }] },
      { role: 'tool', tool_call_id: id, content: code(2600, step) },
    )
  }
  return { messages, tools: Array.from({ length: TOOLS }, (_, i) => toolOf(i)) }
}

function toolOf(number: number): object {
  const properties = Object.fromEntries(
    Array.from({ length: 6 }, (_, i) => [`param_${i}`, { type: 'string', description: code(80, i) }]),
  )
  const parameters = { type: 'object', properties, required: ['param_0'], additionalProperties: false }
  return { type: 'function', function: { name: `tool_${number}`, description: code(600, number), parameters } }
}

const REMARK = 'it handles the "edge" case \\ of tabs'

/** Lines of code, `chars` in all; no two pieces begin alike. */
function code(chars: number, seed: number): string {
  let text = ''
  for (let i = seed; text.length < chars; i++) {
    text += `  const value${i} = await readFile("src/lib/file${i % 97}.ts", { encoding: "utf8" });\n`
    text += `\t// ${REMARK.slice(0, 10 + (i % 20))}\n`
  }
  return text.slice(0, chars)
}
