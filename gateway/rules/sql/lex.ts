// Text to tokens: words, numbers, strings, variables and symbols, each with its place.
import { refuse } from './errors.ts'

export interface Token {
  readonly kind: 'word' | 'number' | 'string' | 'variable' | 'symbol' | 'end'
  /** As written; for a string, its value without quotes; for a variable, its name without `@`. */
  readonly text: string
  readonly pos: number
  readonly end: number
}

const space = /[ \t\r\n]*/y
const word = /[A-Za-z_][A-Za-z0-9_]*/y
const number = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const variable = /@([A-Za-z0-9_]*)/y
const symbol = /<>|<=|>=|[=<>+\-*/%(),.[\]{}:]/y
const foreign: readonly (readonly [RegExp, string])[] = [
  [/--|\/\*|\/\//y, 'comments are not supported'],
  [/!=/y, "expected an operator; 'not equal' is written <>"],
  [/==/y, "expected an operator; 'equal' is written with one ="],
  [/&&/y, "expected an operator; 'and' is written AND"],
  [/\|\|/y, "expected an operator; 'or' is written OR, and text is joined with +"],
  [/;/y, 'a statement ends without a semicolon'],
  [/`/y, 'a name takes no quotes; use get(object, "the key") for a key that is not a plain name'],
]

/**
 * The tokens from `start`, an `end` token last. In a template (`braced`), they end before the `}` that closes it, which may not be
 * the first one: object literals and strings have braces too.
 */
export function lex(sql: string, start = 0, braced = false): Token[] {
  const tokens: Token[] = []
  let depth = 0
  let pos = skip(sql, start)
  while (pos < sql.length) {
    const token = next(sql, pos)
    if (token.text === '{' && token.kind === 'symbol') depth++
    if (token.text === '}' && token.kind === 'symbol' && depth-- === 0 && braced) break
    tokens.push(token)
    pos = skip(sql, token.end)
  }
  tokens.push({ kind: 'end', text: '', pos, end: pos })
  return tokens
}

function next(sql: string, pos: number): Token {
  const first = sql[pos]!
  if (first === "'" || first === '"') return quoted(sql, pos, first)
  for (const [pattern, reason] of foreign) if (at(pattern, sql, pos)) refuse(sql, pos, reason)
  const text = at(word, sql, pos)?.[0]
  if (text !== undefined) return { kind: 'word', text, pos, end: pos + text.length }
  const digits = at(number, sql, pos)?.[0]
  if (digits !== undefined) {
    const end = pos + digits.length
    if (at(word, sql, end)) refuse(sql, pos, 'a name cannot start with a digit; use get(object, "the key") for such a key')
    return { kind: 'number', text: digits, pos, end }
  }
  const named = at(variable, sql, pos)
  if (named) {
    const name = named[1]!
    if (name === '' || name.length > 64) refuse(sql, pos, 'a variable is @ and 1 to 64 letters, digits or underscores')
    return { kind: 'variable', text: name, pos, end: pos + name.length + 1 }
  }
  const sign =
    at(symbol, sql, pos)?.[0] ?? refuse(sql, pos, `unexpected character ${JSON.stringify(String.fromCodePoint(sql.codePointAt(pos)!))}`)
  return { kind: 'symbol', text: sign, pos, end: pos + sign.length }
}

/** A quote inside is doubled, or has a backslash before it; any other backslash is itself (U-1). */
function quoted(sql: string, pos: number, quote: string): Token {
  let text = ''
  for (let i = pos + 1; i < sql.length; i++) {
    const char = sql[i]!
    if (char === '\\' && sql[i + 1] === quote) text += sql[++i]
    else if (char !== quote) text += char
    else if (sql[i + 1] === quote) text += sql[++i]
    else return { kind: 'string', text, pos, end: i + 1 }
  }
  return refuse(sql, pos, `the string that starts here has no closing ${quote}`)
}

function skip(sql: string, pos: number): number {
  return pos + at(space, sql, pos)![0].length
}

function at(pattern: RegExp, text: string, pos: number): RegExpExecArray | null {
  pattern.lastIndex = pos
  return pattern.exec(text)
}
