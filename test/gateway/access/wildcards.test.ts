import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTemplate } from '../../../gateway/access/policy-variables.ts'
import { any, compilePattern, one, type Piece, patternText } from '../../../gateway/access/wildcards.ts'

const matches = (pattern: string, text: string) => compilePattern(parseTemplate(pattern).resolve({})!)(text)

test.each<[pattern: string, text: string, expected: boolean]>([
  ['', '', true],
  ['', 'a', false],
  ['*', '', true],
  ['*', 'a/b/c', true],
  ['a*', 'a', true],
  ['a*', 'ab/c', true],
  ['a*', 'b', false],
  ['*a', 'ba', true],
  ['*a', 'ab', false],
  ['a*a', 'a', false],
  ['a*a', 'aa', true],
  ['a*b*a', 'aba', true],
  ['a*b*a', 'aa', false],
  ['*ab*', 'xxaab', true],
  ['**', 'anything', true],
  ['?', '', false],
  ['?', 'x', true],
  ['?', '/', true],
  ['?', '😀', true],
  ['??', '😀', false],
  ['*?', '😀', true],
  ['?*?', '😀', false],
  ['*?b', '😀b', true],
  ['a?c*e?', 'abcdef', true],
  ['*a?c*', 'xxaabcx', true],
  ['some/+/topic', 'some/x/topic', false],
  ['#', 'a', false],
  ['.', 'a', false],
  ['a\nb*', 'a\nbc', true],
])('%j against %j is %j', (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected)
})

/** What the words of the rule say, and nothing clever. */
function naive(pieces: readonly Piece[], text: readonly string[]): boolean {
  const [piece, ...rest] = pieces
  if (piece === undefined) return text.length === 0
  if (piece === any) return text.some((_, i) => naive(rest, text.slice(i))) || naive(rest, [])
  if (piece === one) return text.length > 0 && naive(rest, text.slice(1))
  const literal = [...piece]
  return literal.every((character, i) => text[i] === character) && naive(rest, text.slice(literal.length))
}

const character = fc.constantFrom('a', 'b', '/', '*', '?', '😀')
const literal = fc.string({ unit: character, maxLength: 3 })
const piece = fc.oneof<fc.Arbitrary<Piece>[]>(literal, fc.constant(any), fc.constant(one))

test('a matcher says what the naive one says', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.string({ unit: character, maxLength: 8 }), (pieces, text) => {
      expect(compilePattern(pieces)(text)).toBe(naive(pieces, [...text]))
    }),
    { numRuns: 2_000 },
  )
})

test('a pattern matches every text made from it', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(piece, literal), { maxLength: 6 }), (pairs) => {
      const pieces = pairs.map(([made]) => made)
      const text = pairs.map(([made, filling]) => (made === any ? filling : made === one ? 'a' : made)).join('')
      expect(compilePattern(pieces)(text)).toBe(true)
    }),
  )
})

test('the text of a pattern reads as it was written', () => {
  expect(patternText(['a/', any, '/', one])).toBe('a/*/?')
})
