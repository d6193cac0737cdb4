// The functions of regular expressions, by RE2 (U-32). What a pattern may cost is in pattern.ts.
import type { Expression } from '../ast.ts'
import { maxTextLength, toText, type Value } from '../value.ts'
import { TooMuchWork } from '../work.ts'
import { maxPatternLength, maxPatternSize, ofPayload, ofStatement, type Pattern, sizeOf } from './pattern.ts'
import type { FunctionTable, Site } from './table.ts'

export const regex = {
  regexp_matches: {
    params: 'String, String',
    arity: [2, 2],
    dependsOn: 'arguments',
    summary: 'Whether the pattern is found anywhere in the text.',
    examples: [
      ["regexp_matches('aaaa', 'a{2,}')", 'true'],
      ["regexp_matches('abc', '^b')", 'false'],
      ["regexp_matches('abc', '[a')", 'undefined'],
    ],
    check: checkPattern,
    call: ([value, pattern], _scope, site) => {
      const text = toText(value)
      return text === undefined ? undefined : patternOf(pattern, site)?.test(text)
    },
  },
  regexp_replace: {
    params: 'String, String, String',
    arity: [3, 3],
    dependsOn: 'arguments',
    summary: 'Every match replaced; `$1` in the replacement is the first group.',
    examples: [
      ["regexp_replace('abcd', 'bc', 'x')", "'axd'"],
      ["regexp_replace('abcd', 'b(.*)d', '$1')", "'ac'"],
      ["regexp_replace('abcd', 'b', '$1')", 'undefined'],
    ],
    check: checkPattern,
    call: ([value, pattern, replacement], _scope, site) => {
      const text = toText(value)
      const compiled = patternOf(pattern, site)
      const by = toText(replacement)
      return text === undefined || compiled === undefined || by === undefined ? undefined : replaceAll(compiled, text, by)
    },
  },
  regexp_substr: {
    params: 'String, String',
    arity: [2, 2],
    dependsOn: 'arguments',
    summary: 'The first match; Undefined where there is none (U-31).',
    examples: [
      ["regexp_substr('hihihello', '(hi)*')", "'hihi'"],
      ["regexp_substr('abc', 'z')", 'undefined'],
    ],
    check: checkPattern,
    call: ([value, pattern], _scope, site) => {
      const text = toText(value)
      return text === undefined ? undefined : patternOf(pattern, site)?.first(text)
    },
  },
} as const satisfies FunctionTable

/** Of the calls whose pattern is in the statement, compiled once. */
const constants = new WeakMap<Site, { readonly pattern: Pattern | undefined }>()

function patternOf(value: Value, site: Site): Pattern | undefined {
  const source = toText(value)
  if (source === undefined) return undefined
  if (site.args[1]?.kind !== 'literal') return ofPayload(source)
  const known = constants.get(site) ?? { pattern: ofStatement(source) }
  constants.set(site, known)
  return known.pattern
}

/** A replacement that names a group the pattern does not have is not valid. */
function replaceAll(pattern: Pattern, text: string, by: string): string | undefined {
  try {
    return pattern.replace(text, by, maxTextLength)
  } catch (error) {
    if (error instanceof TooMuchWork) throw error
    return undefined
  }
}

const beyondRe2: readonly (readonly [RegExp, string])[] = [
  [/\(\?(?:=|!|<=|<!)/, 'lookahead and lookbehind'],
  [/\(\?>/, 'atomic groups'],
  [/(?:^|[^\\])(?:\\\\)*\\(?:[1-9]|k<)/, 'backreferences'],
  [/[*+?}]\+/, 'possessive quantifiers'],
]

/** A constant pattern that Java would take and RE2 cannot, or that is too large, is refused when the rule is loaded. */
function checkPattern(args: readonly Expression[]): string | undefined {
  const pattern = args[1]?.kind === 'literal' ? args[1].value : undefined
  if (typeof pattern !== 'string') return undefined
  if (pattern.length > maxPatternLength) return `the regular expression has more than ${maxPatternLength} characters`
  if (sizeOf(pattern) > maxPatternSize) return `the regular expression is too large: its repeats make more than ${maxPatternSize} parts`
  if (ofStatement(pattern) !== undefined) return undefined
  const found = beyondRe2.find(([sign]) => sign.test(pattern))
  return found && `the regular expression has ${found[1]}, which a linear-time engine does not offer`
}
