// JSON text to values: native JSON.parse, and number by number only where the text has one that a double would change.
import { isDigit } from './digits.ts'
import { parseExactly } from './exact-json.ts'
import { type NumberMode, wholeAsInt } from './number.ts'
import type { Value } from './value.ts'

/** How deep arrays and objects of a payload may nest; deeper ones count as not JSON (U-37). */
export const maxDepth = 1_000

/** Undefined when the text is not JSON. The last of several equal keys wins (U-36). */
export function parseJson(text: string, mode: NumberMode = wholeAsInt): Value {
  if (text.length > 2 * maxDepth && tooDeep(text)) return undefined
  try {
    const value = JSON.parse(text) as Value
    const exact = hasLongNumber(text) || (mode.wholeDecimals && /\d[.eE]/.test(text))
    return exact ? parseExactly(text, mode, value) : value
  } catch {
    return undefined
  }
}

/**
 * Whether something in the text looks like a number that a double could change: 16 digits in a row, or three digits of exponent. Anything
 * shorter survives. Every third character is looked at, which meets each such run at least five times, and each such exponent once.
 */
function hasLongNumber(text: string): boolean {
  let met = 0
  for (let i = 2; i < text.length; i += 3) {
    const code = text.charCodeAt(i)
    if (code > 0x39 || code < dot) {
      met = 0
    } else {
      met++
      // With or without a sign, the `e` of three digits is at most four characters before each of them.
      if (
        isE(text.charCodeAt(i - 1)) ||
        isE(text.charCodeAt(i - 2)) ||
        (i > 3 && (isE(text.charCodeAt(i - 3)) || isE(text.charCodeAt(i - 4))))
      ) {
        if (isLongExponent(text, i)) return true
      }
      if (met > 4) {
        const end = runEnd(text, i)
        if (end - runStart(text, i) > 15) return true
        i = end
        met = 0
      }
    }
  }
  return false
}

/** Of the digits and dots around a place. */
function runStart(text: string, middle: number): number {
  let start = middle
  while (start > 0 && isDigitOrDot(text.charCodeAt(start - 1))) start--
  return start
}

function runEnd(text: string, middle: number): number {
  let end = middle + 1
  while (end < text.length && isDigitOrDot(text.charCodeAt(end))) end++
  return end
}

/** `e123`, `E+123` or `e-123` around a digit, with a digit before it. */
function isLongExponent(text: string, digit: number): boolean {
  for (let e = digit - 1; e > 0 && e >= digit - 4; e--) {
    if ((text.charCodeAt(e) | 0x20) !== 0x65 || !isDigit(text.charCodeAt(e - 1))) continue
    const sign = text.charCodeAt(e + 1)
    const pos = sign === 0x2b || sign === 0x2d ? e + 2 : e + 1
    if (isDigit(text.charCodeAt(pos)) && isDigit(text.charCodeAt(pos + 1)) && isDigit(text.charCodeAt(pos + 2))) return true
  }
  return false
}

const dot = 0x2e

function isE(code: number): boolean {
  return code === 0x65 || code === 0x45
}

function isDigitOrDot(code: number): boolean {
  return code === dot || isDigit(code)
}

/** Few payloads have so many arrays and objects that they could nest too deeply. */
function tooDeep(text: string): boolean {
  return countOf(text, '[', countOf(text, '{', 0)) > maxDepth && nestsTooDeep(text)
}

/** Counts on from what was counted, and stops when the depth is out of question. */
function countOf(text: string, sign: string, counted: number): number {
  let count = counted
  for (let at = text.indexOf(sign); at !== -1 && count <= maxDepth; at = text.indexOf(sign, at + 1)) count++
  return count
}

function nestsTooDeep(text: string): boolean {
  let depth = 0
  let inText = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (inText) {
      if (code === 0x5c) i++
      else if (code === 0x22) inText = false
    } else if (code === 0x22) inText = true
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > maxDepth) return true
    } else if (code === 0x5d || code === 0x7d) depth--
  }
  return false
}
