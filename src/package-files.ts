// Where this package's own files are that are not imported: its resources, and the entry points of its threads. The build and the
// bundle lay their files out alike: this folder, `workers` beside it, and `resources` beside their common parent.

export const PACKAGE_ROOT = new URL('../../', import.meta.url)
export const RESOURCES = new URL('resources/', PACKAGE_ROOT)
/** What browsers load, as it is bundled. */
export const BROWSER_FILES = new URL('bundle/console/', PACKAGE_ROOT)
/** The engine's binaries that a packed package carries; a clone has none. */
export const ENGINE_FILES = new URL('bundle/engine/', PACKAGE_ROOT)

/** The entry point of a thread, by its file's name under workers/. */
export function workerEntry(name: 'frontend' | 'codec' | 'jobs' | 'accounts' | 'answers'): URL {
  return new URL(`../workers/${name}.js`, import.meta.url)
}
