// Credentials that expire, as the configuration has resolved them: plain data, with secrets in it.

/** Proves to the metadata server of an app that a request is from that app. */
export const IDENTITY_HEADER = 'x-identity-header'

/**
 * How the requests to a provider are authorized if not by a fixed key. All of it is resolved: later only files of tokens are read
 * and servers asked. `proxy`: the URL of the one on the way to the issuer of the credentials; null for none.
 */
export type CredentialsConfig =
  | { readonly kind: 'bearer'; readonly source: TokenSource; readonly proxy: string | null }
  | {
      readonly kind: 'signature'
      readonly region: string
      readonly service: string
      readonly source: KeySource
      readonly proxy: string | null
    }

/** Where a bearer token comes from. */
export type TokenSource =
  /** Members of a form, some of them from files that are read each time. */
  | {
      readonly from: 'form'
      readonly url: string
      readonly form: Readonly<Record<string, string>>
      readonly files: Readonly<Record<string, string>>
    }
  /** An assertion that a private key (PKCS #8, PEM) signs. */
  | {
      readonly from: 'assertion'
      readonly url: string
      readonly issuer: string
      readonly keyId: string | null
      readonly privateKey: string
      readonly scope: string
    }
  | { readonly from: 'metadata'; readonly url: string; readonly headers: Readonly<Record<string, string>> }

/** Where the keys of signatures come from. */
export type KeySource =
  | {
      readonly from: 'keys'
      readonly accessKeyId: string
      readonly secretAccessKey: string
      readonly sessionToken: string | null
    }
  | {
      readonly from: 'web-identity'
      readonly url: string
      readonly roleArn: string
      readonly sessionName: string
      readonly tokenFile: string
    }
  | {
      readonly from: 'container'
      readonly url: string
      readonly token: string | null
      readonly tokenFile: string | null
    }
  /** The metadata server of the machine: its origin. */
  | { readonly from: 'instance'; readonly url: string }

/** Every text in them that must not be shown. What is obtained by them later is known where it is used. */
export function secretsOfCredentials(credentials: CredentialsConfig | null): string[] {
  if (credentials === null) return []
  const { source } = credentials
  switch (source.from) {
    case 'form':
      return [source.form.client_secret ?? '', source.form.refresh_token ?? '']
    case 'assertion':
      // Its lines, too: errors quote parts of a text.
      return [source.privateKey, ...source.privateKey.split('\n').filter((line) => !line.startsWith('-----'))]
    case 'metadata':
      return source.headers[IDENTITY_HEADER] === undefined ? [] : [source.headers[IDENTITY_HEADER]]
    case 'keys':
      return [source.secretAccessKey, source.sessionToken ?? '']
    case 'container':
      return [source.token ?? '']
    case 'web-identity':
    case 'instance':
      return []
  }
}
