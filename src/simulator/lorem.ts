// Deterministic filler text, and how text is cut into tokens: a word with the space before it. Joined they are the text again.

const WORDS = (
  'lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna ' +
  'aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute ' +
  'irure in reprehenderit voluptate velit esse cillum fugiat nulla pariatur excepteur sint occaecat cupidatat non ' +
  'proident sunt culpa qui officia deserunt mollit anim id est laborum'
).split(' ')

/** `count` tokens of filler, beginning at word `seed`. */
export function loremTokens(count: number, seed: number): string[] {
  const tokens: string[] = []
  for (let i = 0; i < count; i++) {
    const word = WORDS[(i + seed) % WORDS.length] ?? ''
    tokens.push(i === 0 ? word : ` ${word}`)
  }
  return tokens
}

/** Cuts text before each run of white space. */
export function tokensOf(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? []
}

/** Cuts JSON text, which may hold no space at all, into pieces of `size` characters; never inside a surrogate pair. */
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
