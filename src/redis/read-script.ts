// Reads the Lua scripts in resources/lua. Nothing is read until Redis is used; a connection keeps its scripts.
import { readFileSync } from 'node:fs'
import { RESOURCES } from '../package-files.js'

const LUA = new URL('lua/', RESOURCES)

/** Names of files below resources/lua, without extension, joined into one script in this order. */
export type ScriptFiles = readonly string[]

/**
 * The text of a script.
 * @throws the file system's own error when a file is missing
 */
export function readScript(files: ScriptFiles): string {
  return files.map((file) => readFileSync(new URL(`${file}.lua`, LUA), 'utf8')).join('\n')
}
