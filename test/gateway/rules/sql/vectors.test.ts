import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { answerVector, parseVector } from '../../../../gateway/cli/vectors.ts'

interface Expected {
  readonly parseError?: true
  readonly match?: boolean
  readonly output?: unknown
  readonly tolerance?: number
  readonly undefinedKeys?: readonly string[]
  readonly resultType?: string
  readonly outputBase64?: string
  readonly outputEmpty?: true
  readonly value?: string
}

const fields = new Set([
  'parseError',
  'match',
  'output',
  'tolerance',
  'undefinedKeys',
  'resultType',
  'outputBase64',
  'outputEmpty',
  'value',
])

function linesOf(file: string): string[] {
  return readFileSync(new URL(`../../../cases/sql/${file}`, import.meta.url), 'utf8')
    .trim()
    .split('\n')
}

/** Numbers compare by value, keys in any order, items in theirs. */
function same(actual: unknown, expected: unknown, tolerance: number): boolean {
  if (typeof expected === 'number')
    return typeof actual === 'number' && Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected))
  if (Array.isArray(expected))
    return Array.isArray(actual) && actual.length === expected.length && expected.every((item, i) => same(actual[i], item, tolerance))
  if (typeof expected !== 'object' || expected === null) return actual === expected
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return false
  const [left, right] = [actual as Record<string, unknown>, expected as Record<string, unknown>]
  return Object.keys(left).length === Object.keys(right).length && Object.keys(right).every((key) => same(left[key], right[key], tolerance))
}

function check(line: string): void {
  const vector = parseVector(line)
  const expected = vector.expect as Expected
  expect(Object.keys(expected).filter((key) => !fields.has(key))).toEqual([])
  const answer = JSON.parse(answerVector(vector)) as Expected
  if (expected.output === undefined) {
    expect(answer).toMatchObject(expected)
    return
  }
  expect(answer.match).toBe(true)
  expect(same(answer.output, expected.output, expected.tolerance ?? 0), JSON.stringify(answer)).toBe(true)
  for (const key of expected.undefinedKeys ?? []) expect(answer.output).not.toHaveProperty(key)
}

describe.each(['statements.jsonl', 'templates.jsonl'])('%s', (file) => {
  const sections = Map.groupBy(linesOf(file), (line) => (JSON.parse(line) as { section: string }).section)
  test.each([...sections])('%s', (_section, lines) => {
    lines.forEach(check)
  })
})

test('a vector with an unknown field is an error', () => {
  expect(() => parseVector('{"id":"x","expr":"1","topic":"a","payload":{},"flavour":"sweet"}')).toThrow(/flavour/)
  expect(() => parseVector('{"id":"x","expr":"1","topic":"a","payload":{},"context":{"wind":3}}')).toThrow(/wind/)
  expect(() => parseVector('not json')).toThrow(/one line of JSON/)
  expect(() => parseVector('{"id":"x","topic":"a","payload":{}}')).toThrow(/exactly one of sql/)
})
