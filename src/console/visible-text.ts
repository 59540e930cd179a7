// Text of models and clients as a page shows it: what a terminal or a layout would obey becomes visible, by its number.

/** Controls but tab and line feed, and the marks that turn the direction of text around (Unicode UAX #9). */
const OBEYED = /(?![\t\n])[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
const LAST_BYTE = 0xff
const HEX = 16

/** The same text with every control visible: ESC is `\x1b`. CR LF is one line feed. */
export function visibleText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(OBEYED, shown)
}

function shown(control: string): string {
  const code = control.charCodeAt(0)
  const digits = code.toString(HEX)
  return code <= LAST_BYTE ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`
}
