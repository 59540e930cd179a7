// The end user of a request: for whom the client asks, in the one place that decides it, for the log, for reports and for budgets.

/** The request header in which an application names its end user; it reaches no provider. */
export const USER_HEADER = 'x-sluice-user'
/** Longer ones are cut, as those in bodies are. */
const MAX_CHARS = 256

/** A request as far as it says for whom it is. */
export type Asked = {
  readonly request: {
    readonly key: {
      readonly account?: { readonly trustUser: boolean }
      readonly token?: { readonly user: string | null }
    }
    readonly parameterHeaders: Readonly<Record<string, string>>
  }
  /** Null before its body is read. */
  readonly decoded: { readonly facts: { readonly endUser?: string } } | null
}

/** As the client says, whoever it is: that of its browser token, else of the header, else of the body. Null: it names none. */
export function endUserOf({ request, decoded }: Asked): string | null {
  const named = request.parameterHeaders[USER_HEADER] ?? ''
  return request.key.token?.user ?? (named === '' ? (decoded?.facts.endUser ?? null) : named.slice(0, MAX_CHARS))
}

/**
 * The same where it counts: only an application that is trusted to say so may name one, or anyone could spend what is another user's. A page
 * with a browser token is not the application.
 */
export function trustedUserOf(asked: Asked): string | null {
  const { account, token } = asked.request.key
  if (account?.trustUser !== true) return null
  return token === undefined ? endUserOf(asked) : token.user
}
