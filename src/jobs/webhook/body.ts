// The bodies of webhooks, member by member as in the system that Sluice replaces, so that its receivers continue to work.

/** How a job ended; `response` is the answer's JSON text as it is stored, so that no number in it is written anew. */
export type JobEnd =
  | { readonly status: 'completed'; readonly response: string }
  | {
      readonly status: 'error'
      readonly error: { readonly message: string; readonly type: string; readonly attempts: number }
    }

/** The bytes that are signed and sent; built for each attempt, and the same each time. */
export function encodeWebhookBody(requestId: string, end: JobEnd): Uint8Array {
  const id = JSON.stringify(requestId)
  if (end.status === 'completed') {
    return Buffer.from(`{"request_id":${id},"status":"completed","response":${end.response}}`)
  }
  const { message, type, attempts } = end.error
  return Buffer.from(`{"request_id":${id},"status":"error","error":${JSON.stringify({ message, type, attempts })}}`)
}
