// JSON text to values where a double would change one of its numbers. The text is known to be JSON, so nothing is checked. JSON.parse with
// a reviver does the same, in five times the time.
import { createShape, look } from './digits.ts'
import { type NumberMode, numberWith } from './number.ts'
import { assign, type Value } from './value.ts'

const quote = 0x22
const comma = 0x2c
const minus = 0x2d
const nine = 0x39
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const letterF = 0x66
const letterT = 0x74
const openBrace = 0x7b
const closeBrace = 0x7d

const shape = createShape()
const none: readonly unknown[] = []

/**
 * `native` is what JSON.parse makes of the text: its numbers are the nearest doubles. Of equal keys it has only the last, so the double of
 * an earlier one may be wrong, which is overwritten. Numbers become what `numberWith` makes of them; a member or element beyond the end of Decimal
 * is left out.
 */
export function parseExactly(text: string, mode: NumberMode, native: unknown): Value {
  let pos = 0

  const skipSpace = () => {
    while (text.charCodeAt(pos) <= 0x20) pos++
  }

  const readString = (): string => {
    const start = pos++
    for (let code = text.charCodeAt(pos); code !== quote; code = text.charCodeAt(pos)) {
      if (code === backslash) return readEscaped(start)
      pos++
    }
    pos++
    return text.slice(start + 1, pos - 1)
  }

  const readEscaped = (start: number): string => {
    while (text.charCodeAt(pos) !== quote) pos += text.charCodeAt(pos) === backslash ? 2 : 1
    pos++
    return JSON.parse(text.slice(start, pos)) as string
  }

  const readNumber = (nearest: unknown): Value => {
    const start = pos
    look(text, start, shape)
    pos = shape.end
    const number = text.slice(start, pos)
    return numberWith(number, shape, mode, typeof nearest === 'number' ? nearest : Number(number))
  }

  const readArray = (natives: readonly unknown[]): Value => {
    const items: Value[] = []
    pos++
    for (skipSpace(); text.charCodeAt(pos) !== closeBracket; skipSpace()) {
      if (text.charCodeAt(pos) === comma) pos++
      const value = readValue(natives[items.length])
      if (value === undefined) items.length++
      else items.push(value)
    }
    pos++
    return items
  }

  const readObject = (natives: Readonly<Record<string, unknown>>): Value => {
    const members: Record<string, Value> = {}
    let isWhole = true
    pos++
    for (skipSpace(); text.charCodeAt(pos) !== closeBrace; skipSpace()) {
      if (text.charCodeAt(pos) === comma) pos++
      skipSpace()
      const key = readString()
      skipSpace()
      pos++
      const value = readValue(natives[key])
      if (value === undefined) isWhole = false
      assign(members, key, value)
    }
    pos++
    if (!isWhole) for (const key of Object.keys(members)) if (members[key] === undefined) delete members[key]
    return members
  }

  const readValue = (known: unknown): Value => {
    skipSpace()
    const code = text.charCodeAt(pos)
    if (code === quote) return readString()
    if (code === minus || code <= nine) return readNumber(known)
    if (code === openBracket) return readArray(Array.isArray(known) ? known : none)
    if (code === openBrace)
      return readObject(typeof known === 'object' && known !== null ? (known as Readonly<Record<string, unknown>>) : {})
    pos += code === letterF ? 5 : 4
    return code === letterT ? true : code === letterF ? false : null
  }

  return readValue(native)
}
