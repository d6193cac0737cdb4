// Patterns with `*` and `?`, matched without backtracking over more than one stretch between two stars.

/** `*`: any characters, none included, across `/`. */
export const any: unique symbol = Symbol('*')
/** `?`: exactly one character. */
export const one: unique symbol = Symbol('?')

/** A stretch of literal text or a wildcard. Text that came out of a variable is literal whatever it contains. */
export type Piece = string | typeof any | typeof one

export type Matcher = (text: string) => boolean

/** What lies between two stars. */
interface Stretch {
  readonly pieces: readonly (string | typeof one)[]
  /** Length in characters; a character outside the basic plane is one, as `?` counts it. */
  readonly characters: number
}

/** Compares at most text length × longest stretch characters, whatever the text. */
export function compilePattern(pieces: readonly Piece[]): Matcher {
  const stretches = stretchesOf(pieces)
  const first = stretches[0]!
  const last = stretches.at(-1)!
  const literal = literalOf(first)
  if (stretches.length === 1) {
    return literal === undefined ? (text) => matchAt(first, text, 0) === text.length : (text) => text === literal
  }
  if (stretches.length === 2 && literal !== undefined && last.characters === 0) return (text) => text.startsWith(literal)
  const middle = stretches.slice(1, -1)
  return (text) => {
    let at = matchAt(first, text, 0)
    for (const stretch of middle) {
      if (at === -1) return false
      at = find(stretch, text, at)
    }
    const end = startOfLast(text, last.characters)
    return at !== -1 && at <= end && matchAt(last, text, end) === text.length
  }
}

/** The pattern as somebody wrote it. */
export const patternText = (pieces: readonly Piece[]): string =>
  pieces.map((piece) => (piece === any ? '*' : piece === one ? '?' : piece)).join('')

function stretchesOf(pieces: readonly Piece[]): readonly Stretch[] {
  const stretches: (string | typeof one)[][] = [[]]
  for (const piece of pieces) {
    const open = stretches.at(-1)!
    const before = open.at(-1)
    if (piece === any) stretches.push([])
    else if (typeof piece === 'string' && typeof before === 'string') open[open.length - 1] = before + piece
    else if (piece !== '') open.push(piece)
  }
  return stretches.map((open) => ({
    pieces: open,
    characters: open.reduce((sum, piece) => sum + (piece === one ? 1 : [...piece].length), 0),
  }))
}

function literalOf({ pieces }: Stretch): string | undefined {
  const [piece = '', ...more] = pieces
  return more.length === 0 && piece !== one ? piece : undefined
}

/** Where the stretch ends when it begins at `at`; -1 when it does not match there. */
function matchAt({ pieces }: Stretch, text: string, at: number): number {
  for (const piece of pieces) {
    if (piece === one) {
      if (at >= text.length) return -1
      at += text.codePointAt(at)! > 0xffff ? 2 : 1
    } else {
      if (!text.startsWith(piece, at)) return -1
      at += piece.length
    }
  }
  return at
}

/** Where the stretch ends when it begins as early as possible from `from`. Earliest is always good enough before a star. */
function find(stretch: Stretch, text: string, from: number): number {
  const literal = literalOf(stretch)
  if (literal !== undefined) {
    const found = text.indexOf(literal, from)
    return found === -1 ? -1 : found + literal.length
  }
  for (let at = from; at < text.length; at += text.codePointAt(at)! > 0xffff ? 2 : 1) {
    const end = matchAt(stretch, text, at)
    if (end !== -1) return end
  }
  return -1
}

/** The index `characters` characters before the end; -1 when the text is shorter. */
function startOfLast(text: string, characters: number): number {
  let at = text.length
  for (let left = characters; left > 0 && at >= 0; left--) {
    const code = text.charCodeAt(at - 1)
    at -= code >= 0xdc00 && code <= 0xdfff && text.codePointAt(at - 2)! > 0xffff ? 2 : 1
  }
  return at
}
