// Finds a few top-level keys in the bytes of a JSON payload without building anything. It accepts less than JSON: a backslash, deep nesting
// or any fault is left to the parser, so what it does accept is valid, and means the same. The bytes must be UTF-8.
import { isDigit } from '../digits.ts'
import { isNumber } from './decimal.ts'

/** Half-open ranges of the wanted values, or -1 where the key is absent. The last of equal keys wins. */
export interface Ranges {
  readonly starts: Int32Array
  readonly ends: Int32Array
}

const maxNesting = 16

const quote = 0x22
const plus = 0x2b
const comma = 0x2c
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const colon = 0x3a
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** False: this scanner does not take the bytes, and the ranges mean nothing. */
export function scan(bytes: Uint8Array, wanted: readonly Uint8Array[], { starts, ends }: Ranges): boolean {
  for (let i = 0; i < wanted.length; i++) starts[i] = -1
  let pos = skipSpace(bytes, 0)
  if (at(bytes, pos) !== openBrace) return false
  pos = skipSpace(bytes, pos + 1)
  if (at(bytes, pos) === closeBrace) return skipSpace(bytes, pos + 1) === bytes.length
  for (;;) {
    const keyEnd = skipText(bytes, pos)
    if (keyEnd === -1) return false
    const found = indexOfKey(bytes, pos + 1, keyEnd - 1, wanted)
    const start = skipColon(bytes, keyEnd)
    const end = start === -1 ? -1 : skipValue(bytes, start, 1)
    if (end === -1) return false
    if (found !== -1) {
      starts[found] = start
      ends[found] = end
    }
    pos = skipSpace(bytes, end)
    const code = at(bytes, pos)
    if (code === closeBrace) return skipSpace(bytes, pos + 1) === bytes.length
    if (code !== comma) return false
    pos = skipSpace(bytes, pos + 1)
  }
}

/** Where the members of an object lie, key (with its quotes) and value; memory for one object after another. */
export interface Members {
  count: number
  /** A bit for each kind of key there is: by its length, and its first and last character. Where a key's bit is not set, it is not there. */
  kinds: number
  readonly keyStarts: Int32Array
  readonly keyEnds: Int32Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

export function createMembers(size: number): Members {
  const places = () => new Int32Array(size)
  return { count: 0, kinds: 0, keyStarts: places(), keyEnds: places(), starts: places(), ends: places() }
}

/** False: not for this scanner, or more members than there is memory for, or an object would have them in another order or number. */
export function scanMembers(bytes: Uint8Array, members: Members): boolean {
  const { keyStarts, keyEnds, starts, ends } = members
  members.count = 0
  members.kinds = 0
  let pos = skipSpace(bytes, 0)
  if (at(bytes, pos) !== openBrace) return false
  pos = skipSpace(bytes, pos + 1)
  if (at(bytes, pos) === closeBrace) return skipSpace(bytes, pos + 1) === bytes.length
  for (let i = 0; i < keyStarts.length; i++) {
    const keyEnd = skipText(bytes, pos)
    if (keyEnd === -1 || isDigit(at(bytes, pos + 1)) || indexOfMember(bytes, members, bytes, pos, keyEnd) !== -1) return false
    const start = skipColon(bytes, keyEnd)
    const end = start === -1 ? -1 : skipValue(bytes, start, 1)
    if (end === -1) return false
    keyStarts[i] = pos
    keyEnds[i] = keyEnd
    starts[i] = start
    ends[i] = end
    members.count++
    members.kinds |= kindOf(bytes, pos, keyEnd)
    pos = skipSpace(bytes, end)
    const code = at(bytes, pos)
    if (code === closeBrace) return skipSpace(bytes, pos + 1) === bytes.length
    if (code !== comma) return false
    pos = skipSpace(bytes, pos + 1)
  }
  return false
}

/** The member of that key, which is given with its quotes, or -1. */
export function indexOfMember(bytes: Uint8Array, members: Members, key: Uint8Array, keyStart: number, keyEnd: number): number {
  const { count, kinds, keyStarts, keyEnds } = members
  if ((kinds & kindOf(key, keyStart, keyEnd)) === 0) return -1
  const length = keyEnd - keyStart
  for (let i = 0; i < count; i++) {
    const start = keyStarts[i]!
    if (keyEnds[i]! - start !== length) continue
    let same = 1
    while (same < length && bytes[start + same] === key[keyStart + same]) same++
    if (same === length) return i
  }
  return -1
}

/** Of a key with its quotes. */
export function kindOf(bytes: Uint8Array, start: number, end: number): number {
  return 1 << ((end - start + 7 * bytes[start + 1]! + 3 * bytes[end - 2]!) & 31)
}

function indexOfKey(bytes: Uint8Array, start: number, end: number, wanted: readonly Uint8Array[]): number {
  for (let i = 0; i < wanted.length; i++) {
    const name = wanted[i]!
    if (name.length !== end - start) continue
    let same = 0
    while (same < name.length && name[same] === bytes[start + same]) same++
    if (same === name.length) return i
  }
  return -1
}

/** 0, which no JSON has, behind the end: reading outside an array is slow, and a loop that runs there would not end. */
function at(bytes: Uint8Array, pos: number): number {
  return pos < bytes.length ? bytes[pos]! : 0
}

// Each of these takes the place where its part starts and gives the place behind it, or -1.

function skipValue(bytes: Uint8Array, pos: number, nesting: number): number {
  const code = at(bytes, pos)
  if (code === quote) return skipText(bytes, pos)
  if (isNumber(code)) return skipNumber(bytes, pos)
  if (code === openBrace) return skipObject(bytes, pos, nesting)
  if (code === openBracket) return skipArray(bytes, pos, nesting)
  return skipWord(bytes, pos)
}

export function skipWord(bytes: Uint8Array, pos: number): number {
  const code = at(bytes, pos)
  if (code === 0x74) return skipThree(bytes, pos, 0x72, 0x75, 0x65)
  if (code === 0x6e) return skipThree(bytes, pos, 0x75, 0x6c, 0x6c)
  return code === 0x66 && at(bytes, pos + 1) === 0x61 ? skipThree(bytes, pos + 1, 0x6c, 0x73, 0x65) : -1
}

/** The three letters behind the first of `true` and `null`, or the `a` of `false`. */
function skipThree(bytes: Uint8Array, pos: number, second: number, third: number, fourth: number): number {
  return at(bytes, pos + 1) === second && at(bytes, pos + 2) === third && at(bytes, pos + 3) === fourth ? pos + 4 : -1
}

function skipText(bytes: Uint8Array, pos: number): number {
  if (at(bytes, pos) !== quote) return -1
  for (let i = pos + 1; i < bytes.length; i++) {
    const code = bytes[i]!
    if (code === quote) return i + 1
    if (code === backslash || code < 0x20) return -1
  }
  return -1
}

function skipNumber(bytes: Uint8Array, start: number): number {
  let pos = bytes[start] === minus ? start + 1 : start
  const digits = pos
  pos = skipDigits(bytes, pos)
  if (pos === digits || (bytes[digits] === zero && pos > digits + 1)) return -1
  let code = at(bytes, pos)
  if (code === dot) {
    const fraction = pos + 1
    pos = skipDigits(bytes, fraction)
    if (pos === fraction) return -1
    code = at(bytes, pos)
  }
  if (code !== 0x65 && code !== 0x45) return pos
  const sign = at(bytes, pos + 1)
  const exponent = sign === minus || sign === plus ? pos + 2 : pos + 1
  pos = skipDigits(bytes, exponent)
  return pos === exponent ? -1 : pos
}

function skipDigits(bytes: Uint8Array, start: number): number {
  let pos = start
  while (pos < bytes.length && isDigit(bytes[pos]!)) pos++
  return pos
}

function skipObject(bytes: Uint8Array, start: number, nesting: number): number {
  if (nesting > maxNesting) return -1
  let pos = skipSpace(bytes, start + 1)
  if (at(bytes, pos) === closeBrace) return pos + 1
  for (;;) {
    pos = skipText(bytes, pos)
    if (pos === -1) return -1
    pos = skipColon(bytes, pos)
    if (pos === -1) return -1
    pos = skipValue(bytes, pos, nesting + 1)
    if (pos === -1) return -1
    pos = skipSpace(bytes, pos)
    const code = at(bytes, pos)
    if (code === closeBrace) return pos + 1
    if (code !== comma) return -1
    pos = skipSpace(bytes, pos + 1)
  }
}

function skipArray(bytes: Uint8Array, start: number, nesting: number): number {
  if (nesting > maxNesting) return -1
  let pos = skipSpace(bytes, start + 1)
  if (at(bytes, pos) === closeBracket) return pos + 1
  for (;;) {
    pos = skipValue(bytes, pos, nesting + 1)
    if (pos === -1) return -1
    pos = skipSpace(bytes, pos)
    const code = at(bytes, pos)
    if (code === closeBracket) return pos + 1
    if (code !== comma) return -1
    pos = skipSpace(bytes, pos + 1)
  }
}

function skipColon(bytes: Uint8Array, start: number): number {
  const pos = skipSpace(bytes, start)
  return at(bytes, pos) === colon ? skipSpace(bytes, pos + 1) : -1
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let pos = start
  while (pos < bytes.length && bytes[pos]! <= 0x20) {
    const code = bytes[pos]!
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break
    pos++
  }
  return pos
}
