// The types of the parts of undici that are imported by themselves. Its index loads fetch, caches and mocks as well, and takes
// the place of Node's own fetch: 4 MB and a twentieth of a start, for what Sluice has no use for.
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici'
  export = Client
}
declare module 'undici/lib/core/connect.js' {
  import { buildConnector } from 'undici'
  export = buildConnector
}
declare module 'undici/lib/core/errors.js' {
  import { errors } from 'undici'
  export = errors
}
