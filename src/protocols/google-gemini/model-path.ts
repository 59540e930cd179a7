// Where a model stands in the paths of this API.

/** The model is always one path segment: a slash is encoded; a lone surrogate cannot be encoded and is replaced. */
export function modelPath(model: string): string {
  const name = model.replace(/^models\//, '').replace(/\p{Surrogate}/gu, '\uFFFD')
  return `/models/${encodeURIComponent(name)}`
}
