// A real nginx on loopback that ends TLS and HTTP/2 in front of an upstream, as the fronts of providers do.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Authority } from './certificates.js'
import { accepts, freePort } from './free-port.js'
import { type Teardown } from './gateway.js'

export type Nginx = {
  readonly origin: string
  readonly caFile: string
  /** Starts new workers; the old ones end with their streams. */
  reload(): void
}

/** `directives`: of the server, such as `keepalive_requests 10`. */
export async function startNginx(
  t: Teardown,
  program: string,
  upstreamOrigin: string,
  directives: readonly string[],
): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-nginx-'))
  const authority = new Authority(t)
  const { certFile, keyFile } = authority.issue('front')
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  )
  const lines = [
    ...['daemon off;', 'worker_processes 2;', `pid ${join(folder, 'pid')};`, 'error_log stderr crit;'],
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'events { worker_connections 4096; }',
    `http { access_log off; ${temporary.join(' ')}`,
    `upstream far { server ${new URL(upstreamOrigin).host}; keepalive 64; }`,
    `server { listen 127.0.0.1:${port} ssl http2; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};`,
    ...directives.map((one) => `${one};`),
    'location / { proxy_pass http://far; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }',
  ]
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, `${lines.join('\n')}\n`)
  const child = spawn(program, ['-p', folder, '-c', file, '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const gone = once(child, 'exit')
  t.teardown(async () => {
    if (child.exitCode === null) child.kill('SIGTERM')
    await gone
    rmSync(folder, { recursive: true, force: true })
  })
  await accepts(port, child)
  return {
    origin: `https://127.0.0.1:${port}`,
    caFile: authority.caFile,
    reload: () => void child.kill('SIGHUP'),
  }
}
