// Regular expressions in linear time: RE2 takes no pattern whose match could stall the gateway (U-32).
import { RE2JS } from 're2js'
import type { Expression } from '../ast.ts'
import { bounded, maxTextLength, toText } from '../value.ts'
import type { FunctionTable } from './table.ts'

/** Patterns beyond this are not valid (U-37). */
export const maxPatternLength = 4_096
const maxCachedPatterns = 500
const cache = new Map<string, RE2JS | undefined>()

export const regex = {
  regexp_matches: {
    params: 'String, String',
    arity: [2, 2],
    summary: 'Whether the pattern is found anywhere in the text.',
    examples: [
      ["regexp_matches('aaaa', 'a{2,}')", 'true'],
      ["regexp_matches('abc', '^b')", 'false'],
      ["regexp_matches('abc', '[a')", 'undefined'],
    ],
    check: checkPattern,
    call: ([value, pattern]) => {
      const text = toText(value)
      const compiled = compilePattern(toText(pattern))
      return text === undefined || compiled === undefined ? undefined : compiled.matcher(text).find()
    },
  },
  regexp_replace: {
    params: 'String, String, String',
    arity: [3, 3],
    summary: 'Every match replaced; `$1` in the replacement is the first group.',
    examples: [
      ["regexp_replace('abcd', 'bc', 'x')", "'axd'"],
      ["regexp_replace('abcd', 'b(.*)d', '$1')", "'ac'"],
      ["regexp_replace('abcd', 'b', '$1')", 'undefined'],
    ],
    check: checkPattern,
    call: ([value, pattern, replacement]) => {
      const text = toText(value)
      const compiled = compilePattern(toText(pattern))
      const by = toText(replacement)
      return text === undefined || compiled === undefined || by === undefined ? undefined : replaceAll(compiled, text, by)
    },
  },
  regexp_substr: {
    params: 'String, String',
    arity: [2, 2],
    summary: 'The first match; Undefined where there is none (U-31).',
    examples: [
      ["regexp_substr('hihihello', '(hi)*')", "'hihi'"],
      ["regexp_substr('abc', 'z')", 'undefined'],
    ],
    check: checkPattern,
    call: ([value, pattern]) => {
      const text = toText(value)
      const matcher = text === undefined ? undefined : compilePattern(toText(pattern))?.matcher(text)
      return matcher?.find() ? (matcher.group() ?? undefined) : undefined
    },
  },
} as const satisfies FunctionTable

/** Undefined when the pattern is not valid. Compiled patterns are kept, as many as a gateway's rules could have. */
function compilePattern(pattern: string | undefined): RE2JS | undefined {
  if (pattern === undefined || pattern.length > maxPatternLength) return undefined
  if (cache.has(pattern)) return cache.get(pattern)
  if (cache.size >= maxCachedPatterns) cache.clear()
  const compiled = tryCompile(pattern)
  cache.set(pattern, compiled)
  return compiled
}

function tryCompile(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern)
  } catch {
    return undefined
  }
}

/** A replacement that names a group the pattern does not have is not valid. */
function replaceAll(pattern: RE2JS, text: string, by: string): string | undefined {
  if (by.length * (text.length + 1) > 64 * maxTextLength) return undefined
  try {
    return bounded(pattern.matcher(text).replaceAll(by, true))
  } catch {
    return undefined
  }
}

const beyondRe2: readonly (readonly [RegExp, string])[] = [
  [/\(\?(?:=|!|<=|<!)/, 'lookahead and lookbehind'],
  [/\(\?>/, 'atomic groups'],
  [/(?:^|[^\\])(?:\\\\)*\\(?:[1-9]|k<)/, 'backreferences'],
  [/[*+?}]\+/, 'possessive quantifiers'],
]

/** A constant pattern that Java would take and RE2 cannot is refused when the rule is loaded, never silently Undefined. */
function checkPattern(args: readonly Expression[]): string | undefined {
  const pattern = args[1]?.kind === 'literal' ? args[1].value : undefined
  if (typeof pattern !== 'string' || compilePattern(pattern) !== undefined) return undefined
  const found = beyondRe2.find(([sign]) => sign.test(pattern))
  return found && `the regular expression has ${found[1]}, which a linear-time engine does not offer`
}
