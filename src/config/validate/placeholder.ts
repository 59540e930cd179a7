// Recognizes placeholders that were copied from documentation and not filled in. The caller decides what to do about one.

/** `your-endpoint-here`, `<your key>`, `your_secure_token`, `change-me`, `xxxx`, `...` */
const PLACEHOLDER =
  /^[<[{"']?\s*(your|my|change|replace|insert|enter|put|todo)([-_ ]|me$)|[-_ ]here\s*[>\]}"']?$|^changeme|^x{3,}$|^\.{3}$/i

/** True for a placeholder. */
export function isPlaceholder(text: string): boolean {
  return PLACEHOLDER.test(text.trim())
}
