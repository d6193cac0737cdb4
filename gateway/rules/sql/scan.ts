// Finds a few top-level keys in JSON text without building anything. It accepts less than JSON: text with a backslash, deep nesting or any
// fault is left to the parser, so what it does accept is valid, and means the same.

/** Half-open ranges of the wanted values, or -1 where the key is absent. The last of equal keys wins. */
export interface Ranges {
  readonly starts: Int32Array
  readonly ends: Int32Array
}

const maxNesting = 16

/** False: this scanner does not take the text, and the ranges mean nothing. */
export function scan(text: string, wanted: readonly string[], { starts, ends }: Ranges): boolean {
  starts.fill(-1)
  let pos = skipSpace(text, 0)
  if (text.charCodeAt(pos) !== openBrace) return false
  pos = skipSpace(text, pos + 1)
  if (text.charCodeAt(pos) === closeBrace) return skipSpace(text, pos + 1) === text.length
  for (;;) {
    const key = pos + 1
    const keyEnd = skipText(text, pos)
    if (keyEnd === -1) return false
    const start = skipColon(text, keyEnd)
    const end = start === -1 ? -1 : skipValue(text, start, 1)
    if (end === -1) return false
    for (let i = 0; i < wanted.length; i++) {
      const name = wanted[i]!
      if (name.length === keyEnd - 1 - key && text.startsWith(name, key)) {
        starts[i] = start
        ends[i] = end
      }
    }
    pos = skipSpace(text, end)
    const code = text.charCodeAt(pos)
    if (code === closeBrace) return skipSpace(text, pos + 1) === text.length
    if (code !== comma) return false
    pos = skipSpace(text, pos + 1)
  }
}

const quote = 0x22
const comma = 0x2c
const minus = 0x2d
const dot = 0x2e
const colon = 0x3a
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

// Each takes the place where its part starts and gives the place behind it, or -1.

function skipValue(text: string, pos: number, nesting: number): number {
  const code = text.charCodeAt(pos)
  if (code === quote) return skipText(text, pos)
  if (isDigit(code) || code === minus) return skipNumber(text, pos)
  if (code === openBrace) return skipObject(text, pos, nesting)
  if (code === openBracket) return skipArray(text, pos, nesting)
  if (text.startsWith('true', pos) || text.startsWith('null', pos)) return pos + 4
  return text.startsWith('false', pos) ? pos + 5 : -1
}

function skipText(text: string, pos: number): number {
  if (text.charCodeAt(pos) !== quote) return -1
  for (let i = pos + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote) return i + 1
    if (code === backslash || code < 0x20) return -1
  }
  return -1
}

function skipNumber(text: string, start: number): number {
  let pos = text.charCodeAt(start) === minus ? start + 1 : start
  const first = text.charCodeAt(pos)
  if (!isDigit(first)) return -1
  pos = first === 0x30 ? pos + 1 : skipDigits(text, pos)
  if (text.charCodeAt(pos) === dot) {
    if (!isDigit(text.charCodeAt(pos + 1))) return -1
    pos = skipDigits(text, pos + 1)
  }
  if ((text.charCodeAt(pos) | 0x20) !== 0x65) return pos
  const sign = text.charCodeAt(pos + 1)
  pos += sign === minus || sign === 0x2b ? 2 : 1
  return isDigit(text.charCodeAt(pos)) ? skipDigits(text, pos) : -1
}

function skipDigits(text: string, start: number): number {
  let pos = start
  while (isDigit(text.charCodeAt(pos))) pos++
  return pos
}

function skipObject(text: string, start: number, nesting: number): number {
  if (nesting > maxNesting) return -1
  let pos = skipSpace(text, start + 1)
  if (text.charCodeAt(pos) === closeBrace) return pos + 1
  for (;;) {
    pos = skipText(text, pos)
    if (pos === -1) return -1
    pos = skipColon(text, pos)
    if (pos === -1) return -1
    pos = skipValue(text, pos, nesting + 1)
    if (pos === -1) return -1
    pos = skipSpace(text, pos)
    const code = text.charCodeAt(pos)
    if (code === closeBrace) return pos + 1
    if (code !== comma) return -1
    pos = skipSpace(text, pos + 1)
  }
}

function skipArray(text: string, start: number, nesting: number): number {
  if (nesting > maxNesting) return -1
  let pos = skipSpace(text, start + 1)
  if (text.charCodeAt(pos) === closeBracket) return pos + 1
  for (;;) {
    pos = skipValue(text, pos, nesting + 1)
    if (pos === -1) return -1
    pos = skipSpace(text, pos)
    const code = text.charCodeAt(pos)
    if (code === closeBracket) return pos + 1
    if (code !== comma) return -1
    pos = skipSpace(text, pos + 1)
  }
}

function skipColon(text: string, start: number): number {
  const pos = skipSpace(text, start)
  return text.charCodeAt(pos) === colon ? skipSpace(text, pos + 1) : -1
}

function skipSpace(text: string, start: number): number {
  let pos = start
  for (;;) {
    const code = text.charCodeAt(pos)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return pos
    pos++
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}
