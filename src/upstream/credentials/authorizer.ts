// What a kind of credentials does for a request.

/** A request as it will be sent. */
export type Outgoing = {
  readonly url: string
  readonly contentType: string
  readonly body: Uint8Array | readonly Uint8Array[]
}
/** `headers`: flat. `used`: what they were made with, for `mayHelpAgain`. */
export type Authorization = { readonly headers: readonly string[]; readonly used: unknown }

export type Authorizer = {
  authorize(request: Outgoing): Promise<Authorization>
  /** The upstream has refused: whether the same request may succeed with a new authorization. */
  mayHelpAgain(sent: Authorization, status: number, dateHeader: string | null): boolean
  /** What must not be shown if the upstream repeats it. */
  readonly secrets: readonly string[]
}
