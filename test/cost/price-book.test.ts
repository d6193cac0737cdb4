// The price books hold their schema, name their sources, and never hide that a price is not known.
import { describe, expect, test } from 'vitest'
import { loadPriceBook, regions, toPriceBook } from '../../cost/price-book.ts'

describe.each(regions())('%s', (region) => {
  const book = loadPriceBook(region)
  const prices = Object.values(book.prices)

  test('is the book of its region', () => {
    expect(book.region).toBe(region)
  })

  test('has the same items as every other book', () => {
    expect(Object.keys(book.prices)).toEqual(Object.keys(loadPriceBook('us-east-1').prices))
  })

  test('has rising tiers, the last of them without a bound', () => {
    for (const { tiers } of prices) {
      const bounds = tiers.map(({ upTo }) => upTo ?? Number.POSITIVE_INFINITY)
      expect(bounds).toEqual([...new Set(bounds)].sort((a, b) => a - b))
      expect(bounds.at(-1)).toBe(Number.POSITIVE_INFINITY)
    }
  })

  test('marks a tier as unknown exactly when it has no price, and then says why', () => {
    for (const { tiers, note } of prices)
      for (const { nanoDollars, confidence } of tiers) {
        expect(confidence === 'unknown').toBe(nanoDollars === undefined)
        if (nanoDollars === undefined) expect(note).toMatch(/not|no source/)
      }
  })

  test('names a source for every known price, dated as the newest of them', () => {
    for (const { confidence, sources, date, item } of prices) {
      for (const source of sources) expect(Object.keys(book.sources), item).toContain(source)
      if (confidence === 'unknown') continue
      expect(sources.length, item).toBeGreaterThan(0)
      const dates = sources.map((source) => book.sources[source]!.date).filter((text) => text !== null)
      expect(date, item).toBe(dates.sort().at(-1) ?? null)
    }
  })
})

test('a region without a book is refused with the nearest name', () => {
  expect(() => loadPriceBook('us-east-3')).toThrow('region "us-east-3" has no price book; did you mean "us-east-1"?')
  expect(() => loadPriceBook('../../package')).toThrow('has no price book')
})

test('a book with a float or a field of its own is refused', () => {
  expect(() => toPriceBook({ region: 'xx-test-1', currency: 'USD', asOf: '2026-11-23', sources: {}, prices: {}, extra: 1 })).toThrow()
  const row = { unit: 'message', per: 1, increment: null, tiers: [{ upTo: null, usd: 0.1 }], allowance: null, confidence: 'recalled' }
  const file = {
    region: 'xx-test-1',
    currency: 'USD',
    asOf: '2026-11-23',
    sources: {},
    prices: { 'a.b': { ...row, sources: [], date: null } },
  }
  expect(() => toPriceBook(file)).toThrow()
})
