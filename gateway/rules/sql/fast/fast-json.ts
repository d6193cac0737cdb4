// The quickest look through an object, for what most devices send: ASCII without spaces between its members, strings without escapes, and
// numbers and words as JSON.stringify writes them. All else is for scan.ts. One loop, because calls would take longer than the bytes.
import { isDigit } from '../digits.ts'
import { isNumber, isShortest, maxDigits } from './decimal.ts'
import { indexOfMember, kindOf, type Members, skipWord } from './scan.ts'

const quote = 0x22
const comma = 0x2c
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const colon = 0x3a
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d

/** 1: a character of a string that is nothing but itself. */
const literal = Uint8Array.from({ length: 256 }, (_, code) => Number(code >= 0x20 && code < 0x80 && code !== quote && code !== backslash))

/** True: the bytes are such an object, from the first to the last, whose members are these. False says nothing. */
export function scanPlain(bytes: Uint8Array, members: Members): boolean {
  const { keyStarts, keyEnds, starts, ends } = members
  const last = bytes.length - 1
  members.count = 0
  members.kinds = 0
  if (last < 1 || bytes[0] !== openBrace || bytes[last] !== closeBrace) return false
  let pos = 1
  for (let i = 0; i < keyStarts.length; i++) {
    const keyEnd = textEnd(bytes, pos, last)
    // An object has keys such as "7" in front of all others.
    if (keyEnd === -1 || isDigit(bytes[pos + 1]!) || bytes[keyEnd] !== colon) return false
    const kind = kindOf(bytes, pos, keyEnd)
    if ((members.kinds & kind) !== 0 && indexOfMember(bytes, members, bytes, pos, keyEnd) !== -1) return false
    const start = keyEnd + 1
    const first = bytes[start]!
    let end: number
    if (first === quote) end = textEnd(bytes, start, last)
    else if (isNumber(first)) end = decimalEnd(bytes, start, last)
    else end = skipWord(bytes, start)
    if (end === -1) return false
    keyStarts[i] = pos
    keyEnds[i] = keyEnd
    starts[i] = start
    ends[i] = end
    members.count = i + 1
    members.kinds |= kind
    if (end === last) return true
    if (bytes[end] !== comma) return false
    pos = end + 1
  }
  return false
}

// Each of these takes the place where its part starts and gives the place behind it, before or at the last brace, or -1.

function textEnd(bytes: Uint8Array, start: number, last: number): number {
  if (bytes[start] !== quote) return -1
  let pos = start + 1
  while (pos < last && literal[bytes[pos]!] === 1) pos++
  return bytes[pos] === quote ? pos + 1 : -1
}

/** Of a number in its shortest form, which a double holds. */
function decimalEnd(bytes: Uint8Array, start: number, last: number): number {
  const lead = bytes[start] === minus ? start + 1 : start
  let end = digitsEnd(bytes, lead, last)
  const point = end
  if (point === lead) return -1
  if (bytes[point] === dot) {
    end = digitsEnd(bytes, point + 1, last)
    if (end === point + 1 || bytes[end - 1] === zero) return -1
  }
  if (end - start > maxDigits) return -1
  if (bytes[lead] !== zero) return end
  return point === lead + 1 && isShortest(bytes, start, end) ? end : -1
}

function digitsEnd(bytes: Uint8Array, start: number, last: number): number {
  let pos = start
  while (pos < last && isDigit(bytes[pos]!)) pos++
  return pos
}
