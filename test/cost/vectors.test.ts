// Published and derived pricing examples come out to the millionth of a dollar.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { priceLine } from '../../cost/cli/price.ts'

interface Vector {
  readonly id: string
  readonly description: string
  readonly expected: { readonly quantities: Record<string, number>; readonly lineItems: Record<string, number>; readonly totalUsd: number }
}

const file = new URL('../cases/cost/pricing-examples.jsonl', import.meta.url)
const lines = readFileSync(file, 'utf8').trim().split('\n')

describe.each(lines.map((line) => [(JSON.parse(line) as Vector).id, line] as const))('%s', (id, line) => {
  const { expected } = JSON.parse(line) as Vector
  const priced = priceLine(line)

  test('has the total', () => expect(Math.abs(priced.totalUsd - expected.totalUsd)).toBeLessThanOrEqual(1e-6))

  test('has the quantities and the line items', () => {
    expect(priced.id).toBe(id)
    expect(priced.quantities).toEqual(close(expected.quantities))
    expect(priced.lineItems).toEqual(close(expected.lineItems))
  })

  test('is understood without the name of its service', () => {
    const { id: _, ...rest } = priced
    expect(priceLine(JSON.stringify(JSON.parse(line).inputs))).toEqual(rest)
  })
})

function close(numbers: Record<string, number>) {
  return Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, expect.closeTo(value, 6)]))
}
