// Regular expressions and what they may cost. RE2 needs time in proportion to the size of the compiled pattern times the length of the
// text. A pattern in the statement is the author's: it is checked when the rule is loaded. A pattern that the payload supplies is small.
import { RE2JS } from 're2js'
import { spend } from '../work.ts'

/** Characters of a pattern in a statement; a longer one is not valid (U-37). */
export const maxPatternLength = 4_096
/** Parts of a pattern in a statement after repeats are written out: `[a-z]{500}` has 500. */
export const maxPatternSize = 5_000
/** The same of a pattern that the payload supplies. */
export const maxSuppliedLength = 256
export const maxSuppliedSize = 500
/** Size of a supplied pattern times characters of the text; beyond it the result is Undefined. */
export const maxSuppliedSteps = 50_000

/** A step of a supplied pattern counts this often: its author wants it to be slow. */
const suppliedWeight = 12
/** Up to this size × text, re2js finds a match by backtracking with a memory; beyond it, by a simulation that is slower. */
const maxQuickSteps = 262_144
const slowWeight = 4
/** The automaton that answers yes or no is 20 times quicker for most patterns, and 3 times slower for a few, the more so the larger. */
const maxAutomatonSize = 100
const automatonWeight = 2
/** Looking ahead from each match can read the text to its end, but a pattern of the author's seldom does. */
const authorsLookahead = 1 / 8
const maxCachedPatterns = 64

/** A compiled pattern whose use is bounded. Results are undefined where the text is too long for it. */
export interface Pattern {
  test(text: string): boolean | undefined
  first(text: string): string | undefined
  replace(text: string, by: string, maxLength: number): string | undefined
}

/** The pattern of a statement; undefined when it is not valid. */
export function ofStatement(source: string): Pattern | undefined {
  if (source.length > maxPatternLength || sizeOf(source) > maxPatternSize) return undefined
  const compiled = compile(source)
  return compiled && bounded(compiled, { weight: 1, lookahead: authorsLookahead, maxSteps: Number.POSITIVE_INFINITY })
}

const supplied = new Map<string, Pattern | undefined>()

/** A pattern that only the message knows; undefined when it is not valid or too large. */
export function ofPayload(source: string): Pattern | undefined {
  if (source.length > maxSuppliedLength || sizeOf(source) > maxSuppliedSize) return undefined
  if (supplied.has(source)) return supplied.get(source)
  if (supplied.size >= maxCachedPatterns) supplied.delete(supplied.keys().next().value!)
  const compiled = compile(source)
  const pattern = compiled && bounded(compiled, { weight: suppliedWeight, lookahead: 1, maxSteps: maxSuppliedSteps })
  supplied.set(source, pattern)
  return pattern
}

function compile(source: string): RE2JS | undefined {
  try {
    return RE2JS.compile(source)
  } catch {
    return undefined
  }
}

/** What re2js does in its own `replaceAll`, one match at a time; its types keep these methods private. */
interface Replacing {
  find(): boolean
  end(): number
  appendReplacement(replacement: string, javaMode: boolean): string
  appendTail(): string
}

interface Bounds {
  readonly weight: number
  readonly lookahead: number
  readonly maxSteps: number
}

function bounded(compiled: RE2JS, { weight, lookahead, maxSteps }: Bounds): Pattern {
  const size = compiled.programSize()
  /** False when the text is too long for the pattern. */
  const afford = (characters: number): boolean => {
    if (stepsOf(characters) > maxSteps) return false
    spend(stepsOf(characters) * weight)
    return true
  }
  const stepsOf = (characters: number) => size * (characters + 1)
  const isQuick = (characters: number) => stepsOf(characters) <= maxQuickSteps
  const affordFind = (characters: number) => afford(isQuick(characters) ? characters : slowWeight * characters)
  return {
    test(text) {
      const byAutomaton = weight === 1 && size <= maxAutomatonSize
      if (!(byAutomaton ? afford(automatonWeight * text.length) : affordFind(text.length))) return undefined
      return byAutomaton ? compiled.test(text) : compiled.matcher(text).find()
    },
    first(text) {
      if (!affordFind(text.length)) return undefined
      const matcher = compiled.matcher(text)
      return matcher.find() ? (matcher.group() ?? undefined) : undefined
    },
    replace(text, by, maxLength) {
      if (!affordFind(text.length)) return undefined
      const share = isQuick(text.length) ? lookahead : slowWeight
      const matcher = compiled.matcher(text) as unknown as Replacing
      let result = ''
      while (matcher.find()) {
        result += matcher.appendReplacement(by, true)
        if (result.length > maxLength) return undefined
        spend(stepsOf(text.length - matcher.end()) * weight * share)
      }
      result += matcher.appendTail()
      return result.length > maxLength ? undefined : result
    },
  }
}

/** A class such as `\p{L}` has hundreds of ranges. */
const unicodeClassSize = 20

/** An upper bound of the compiled size, found without compiling: repeats multiply, groups add up. */
export function sizeOf(source: string): number {
  const groups: number[] = [0]
  let last = 0
  const add = (size: number) => {
    groups[groups.length - 1]! += size
    last = size
  }
  for (const [token, least, most] of source.matchAll(tokens)) {
    if (token === '(') groups.push(1)
    else if (token === ')' && groups.length > 1) add(groups.pop()! + 1)
    else if (least !== undefined) add(last * Math.max(Number(least), Number(most ?? 0)))
    else if (token.startsWith('\\Q')) add(token.length)
    else add(1 + unicodeClassSize * (token.match(/\\[pP]|\[:/g)?.length ?? 0))
  }
  return groups.reduce((sum, size) => sum + size, 0)
}

/** Quoted text, an escape, a class, a repeat, or one character. */
const tokens = /\\Q.*?(?:\\E|$)|\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|\[:[^\]]*:\]|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|./gsu
