// Values that somebody copied from a document and has not filled in yet. Pure words: what to do about one, its reader decides.

/** `your-endpoint-here`, `<your key>`, `your_secure_token`, `change-me`, `xxxx`, `...` */
const PLACEHOLDER =
  /^[<[{"']?\s*(your|my|change|replace|insert|enter|put|todo)([-_ ]|me$)|[-_ ]here\s*[>\]}"']?$|^changeme|^x{3,}$|^\.{3}$/i

/** True for a text that stands for a value and is none. */
export function isPlaceholder(text: string): boolean {
  return PLACEHOLDER.test(text.trim())
}
