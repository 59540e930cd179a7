// `sluice/client` as `npm run bundle:client` builds it, elsewhere than in the package.
import { execFileSync } from 'node:child_process'
import { ROOT } from './gateway.js'
import { readText } from './source-tree.js'

/** Builds it into a folder and returns that. */
export function bundleClient(folder: string): string {
  const { scripts } = JSON.parse(readText('package.json')) as { readonly scripts: Readonly<Record<string, string>> }
  const command = (scripts['bundle:client'] ?? '').replaceAll('bundle/client', folder)
  execFileSync('bash', ['-c', command], {
    cwd: ROOT,
    env: { ...process.env, PATH: `node_modules/.bin:${process.env.PATH}` },
  })
  return folder
}
