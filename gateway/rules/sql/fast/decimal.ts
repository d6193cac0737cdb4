// Numbers where they lie in the bytes of a JSON payload: what they are worth, and whether JSON.stringify would write them otherwise.
// The ranges hold valid JSON numbers.
import { isDigit } from '../digits.ts'

const minus = 0x2d
const dot = 0x2e
const zero = 0x30

/** Of one that begins with this byte. */
export function isNumber(first: number): boolean {
  return first === minus || isDigit(first)
}

/** Longer ones may need more digits than a double has: the general way knows. */
export const maxDigits = 15

/** It might need more digits than a double has, or another form than its own. */
export function isLong(bytes: Uint8Array, start: number, end: number): boolean {
  if (!isNumber(bytes[start]!)) return false
  if (end - start > maxDigits) return true
  for (let i = start; i < end; i++) if (bytes[i] === 0x65 || bytes[i] === 0x45) return true
  return false
}

/** Of one that is not long: in its shortest form, so no `-0`, no last zero behind the dot, nothing below 1e-6. */
export function isShortest(bytes: Uint8Array, start: number, end: number): boolean {
  const lead = bytes[start] === minus ? start + 1 : start
  if (bytes[lead] !== zero) return bytes[end - 1] !== zero || !hasDot(bytes, start, end)
  return bytes[end - 1] !== zero ? Math.abs(numberAt(bytes, start, end)) >= 1e-6 : lead === start && end - start === 1
}

const powersOfTen = Array.from({ length: maxDigits + 1 }, (_, i) => 10 ** i)

/** Of one that is not long: a whole number that a double holds, and its quotient by a power of ten is the double nearest to the decimal. */
export function numberAt(bytes: Uint8Array, start: number, end: number): number {
  const negative = bytes[start] === minus
  let digits = 0
  let places = 0
  for (let i = negative ? start + 1 : start; i < end; i++) {
    if (bytes[i] === dot) places = end - i - 1
    else digits = digits * 10 + bytes[i]! - zero
  }
  const value = digits / powersOfTen[places]!
  return negative ? -value : value
}

function hasDot(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === dot) return true
  return false
}
