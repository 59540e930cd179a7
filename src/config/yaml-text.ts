// Plain data -> YAML in block style, as the package `yaml` writes it. That package makes an object of each value, which for a
// configuration of 200,000 models takes longer than all else that `sluice check` does.
import { isJsonArray, isJsonObject, type JsonValue } from '../model/json.js'

/** Read by every parser as the string that it is: words that begin with a letter or like a path, or an IPv4 address. */
const PLAIN = /^(?:(?:[A-Za-z/]|\.\/)[\w./@+~*-]*(?:[: ][\w./@+~*-]+)*|(?:\d{1,3}\.){3}\d{1,3})$/
/** Words that YAML 1.1 or 1.2 reads as something else. */
const NOT_TEXT = /^(?:null|true|false|yes|no|on|off|y|n)$/i
const STEP = '  '

/** Members that are undefined are left out. */
export function toYaml(value: object): string {
  const lines: string[] = []
  writeBlock(lines, value as JsonValue, '', '')
  return `${lines.join('\n')}\n`
}

/** `lead`: what the first line begins with, where a list's dash stands before it; `pad`: what the others do. */
function writeBlock(lines: string[], value: JsonValue, pad: string, lead: string): void {
  let begin = lead
  if (isJsonArray(value)) {
    for (const item of value) {
      const text = inlineText(item)
      if (text === null) writeBlock(lines, item, `${pad}${STEP}`, `${begin}- `)
      else lines.push(`${begin}- ${text}`)
      begin = pad
    }
    return
  }
  for (const [name, member] of Object.entries(value ?? {})) {
    if (member === undefined) continue
    const text = inlineText(member)
    lines.push(`${begin}${scalar(name)}:${text === null ? '' : ` ${text}`}`)
    if (text === null) writeBlock(lines, member, `${pad}${STEP}`, `${pad}${STEP}`)
    begin = pad
  }
}

/** Null for what takes lines of its own. */
function inlineText(value: JsonValue): string | null {
  if (typeof value === 'string') return scalar(value)
  if (isJsonArray(value)) return value.length === 0 ? '[]' : null
  if (isJsonObject(value)) return Object.values(value).every((member) => member === undefined) ? '{}' : null
  return String(value)
}

/** A JSON string is a YAML string. */
function scalar(text: string): string {
  return PLAIN.test(text) && !NOT_TEXT.test(text) ? text : JSON.stringify(text)
}
