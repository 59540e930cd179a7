// The try-it page of a gateway without keys on loopback: its models, a prompt, and the answer as it streams. It speaks to the gateway
// that served it over its public API.
import { byId, element, fill } from './dom.js'
import { allApis } from './playground/apis/all-apis.js'
import { createPlayground } from './playground/playground.js'

async function open(page: HTMLElement): Promise<void> {
  const models = await listModels()
  if (models.length === 0) {
    fill(
      page,
      element(
        'p',
        { class: 'state' },
        'No model is listed. Configure a provider, or models, and load this page again.',
      ),
    )
    return
  }
  const playground = createPlayground({
    ...{ models, apis: allApis(), origin: location.origin, needsKey: false },
    send: (path, body, signal) =>
      fetch(`/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal,
      }),
  })
  fill(page, playground.root)
  playground.focus()
}

/** @throws Error where the gateway does not answer */
async function listModels(): Promise<string[]> {
  const response = await fetch('/v1/models')
  if (!response.ok) throw new Error(`GET /v1/models was answered with ${response.status}.`)
  const { data } = (await response.json()) as { readonly data: readonly { readonly id: string }[] }
  return data.map(({ id }) => id)
}

const page = byId('page')
open(page).catch((thrown: unknown) => {
  const reason = thrown instanceof Error ? thrown.message : 'unknown'
  fill(
    page,
    element('p', { class: 'state', 'data-state': 'failed', role: 'alert' }, `The gateway did not answer: ${reason}`),
  )
})
