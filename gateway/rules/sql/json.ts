// JSON text to values: native JSON.parse, and number by number only where the text has one that a double would change.
import { fitsDouble, folding, type NumberMode, numberOf } from './number.ts'
import type { Value } from './value.ts'

/** How deep arrays and objects of a payload may nest; deeper ones count as not JSON (U-37). */
export const maxDepth = 1_000

// Up to 15 digits and two digits of exponent always survive a double.
const suspicious = /[\d.]{16}|\d[eE][+-]?\d{3}/
const numbersAndStrings = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/gs

/** Undefined when the text is not JSON. The last of several equal keys wins (U-36). */
export function parseJson(text: string, mode: NumberMode = folding): Value {
  if (text.length > 2 * maxDepth && tooDeep(text)) return undefined
  try {
    const value = JSON.parse(text) as Value
    const plain = mode.wholeDecimals ? !/\d[.eE]/.test(text) && !suspicious.test(text) : !suspicious.test(text) || survives(text)
    return plain ? value : parseExactly(text, mode)
  } catch {
    return undefined
  }
}

/** Only for text that is known to be JSON. */
function survives(text: string): boolean {
  for (const [token] of text.matchAll(numbersAndStrings)) {
    if (token[0] !== '"' && suspicious.test(token) && !fitsDouble(token)) return false
  }
  return true
}

function parseExactly(text: string, mode: NumberMode): Value {
  const revive = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' ? numberOf(context!.source!, mode) : value
  return JSON.parse(text, revive) as Value
}

function tooDeep(text: string): boolean {
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
