// Deterministic filler text, and how text is split into tokens: a word with the space before it. Joined, the tokens are the text again.

const WORDS = (
  'lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna ' +
  'aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute ' +
  'irure in reprehenderit voluptate velit esse cillum fugiat nulla pariatur excepteur sint occaecat cupidatat non ' +
  'proident sunt culpa qui officia deserunt mollit anim id est laborum'
).split(' ')

/** Tokens in order, such as an array of strings. Filler is not kept as an array, since thousands of long streams run at once. */
export type Tokens = Iterable<string> & {
  readonly length: number
  slice(start: 0, end: number): Tokens
  join(separator: ''): string
}

/** `length` tokens of filler, starting at word `seed`. */
export class LoremTokens implements Tokens {
  readonly length: number
  readonly #seed: number

  constructor(length: number, seed: number) {
    this.length = length
    this.#seed = seed
  }

  *[Symbol.iterator](): Generator<string, void> {
    for (let i = 0; i < this.length; i++) {
      const word = WORDS[(i + this.#seed) % WORDS.length] ?? ''
      yield i === 0 ? word : ` ${word}`
    }
  }

  slice(_start: 0, end: number): LoremTokens {
    return new LoremTokens(Math.min(end, this.length), this.#seed)
  }

  join(): string {
    return [...this].join('')
  }
}

/** Splits text before each run of white space. */
export function tokensOf(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? []
}

/** Splits JSON text, which may contain no space at all, into pieces of `size` characters, never inside a surrogate pair. */
export function piecesOf(text: string, size: number): string[] {
  const pieces: string[] = []
  let piece = ''
  for (const character of text) {
    piece += character
    if (piece.length < size) continue
    pieces.push(piece)
    piece = ''
  }
  if (piece !== '') pieces.push(piece)
  return pieces
}
