// What the configuration tests share: the real catalogue, and sources for loadConfig without any file, variable or disk.

import { type ConfigSources, type LoadedConfig, loadConfig } from '../../src/config/load.js'
import { readCatalog } from '../../src/config/read.js'
import { GatewayError } from '../../src/errors.js'

export const CATALOG = readCatalog()
export const ROOT = new URL('../../../', import.meta.url)

type Given = Partial<Omit<ConfigSources, 'readFile'>> & { readonly files?: Readonly<Record<string, string>> }

/** Sources with `files` by absolute path, working directory /w. */
export function sources(given: Given = {}): ConfigSources {
  const { files = {}, ...rest } = given
  return {
    env: {},
    overrides: {},
    cwd: '/w',
    packageRoot: '/pkg',
    catalog: CATALOG,
    cores: 4,
    nowMs: Date.now(),
    readFile: (file) => files[file] ?? null,
    isReadable: (file) => files[file] !== undefined,
    ...rest,
  }
}

/** Loads a file's text with variables. */
export function load(text: string, env: Readonly<Record<string, string>> = {}): LoadedConfig {
  return loadConfig(sources({ env, files: { '/w/sluice.yaml': text } }))
}

/** The message of the misconfigured error that `run` throws. */
export function refusalOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof GatewayError && error.data.code === 'misconfigured') return error.message
    throw error
  }
  throw new Error('nothing was refused')
}
