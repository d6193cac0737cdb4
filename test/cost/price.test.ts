// Tiers, allowances and holes in the price book.
import { describe, expect, test } from 'vitest'
import { PriceMissing } from '../../cost/errors.ts'
import { parseUsd } from '../../cost/money.ts'
import { addUsage, leastCertain, priceUsage } from '../../cost/price.ts'
import { loadPriceBook } from '../../cost/price-book.ts'

const book = loadPriceBook('us-east-1')
const total = (usage: Record<string, number>, allowances?: Parameters<typeof priceUsage>[2]) =>
  priceUsage(usage, book, allowances).totalNanoDollars

describe('tiers', () => {
  test.each([
    [1_000_000_000, '1000'],
    [1_000_000_001, '1000.0000008'],
    [5_000_000_000, '4200'],
    [5_000_000_010, '4200.000007'],
  ])('%d messages', (messages, usd) => expect(total({ 'iotCore.messages': messages })).toBe(parseUsd(usd)))

  test('quantities far beyond 2^53 millionths stay exact', () => {
    expect(total({ 'iotCore.connectionMinutes': 9_007_199_254_740_991 })).toBe(720_575_940_379_279_280n)
  })
})

describe('allowances', () => {
  test('come off before the tiers', () => {
    expect(total({ 'iotCore.messages': 1_000_500_000 }, 'all')).toBe(parseUsd('1000'))
  })

  test('can be granted item by item, by either name', () => {
    const usage = { 'iotCore.messages': 600_000, 'iotCore.rulesTriggered': 250_000 }
    expect(total(usage, ['messages'])).toBe(parseUsd('0.1375'))
    expect(total(usage, ['iotCore.rulesTriggered'])).toBe(parseUsd('0.6'))
  })

  test('of one pool are used up once: SQS counts over all queue types', () => {
    expect(total({ 'sqs.standardRequests': 600_000, 'sqs.fifoRequests': 1_400_000 }, 'all')).toBe(parseUsd('0.5'))
  })

  test('leave a line of zero dollars where something was used', () => {
    expect(priceUsage({ 'iotCore.messages': 10, 'iotCore.rulesTriggered': 0 }, book, 'all').lineItems).toEqual([
      { item: 'iotCore.messages', quantity: 10, nanoDollars: 0n, confidence: 'verified' },
    ])
  })
})

describe('what is not known', () => {
  test('has no total', () => {
    const usage = { 'apiGateway.webSocketMessages': 1 }
    expect(() => priceUsage(usage, loadPriceBook('eu-west-1'))).toThrow(PriceMissing)
    expect(() => priceUsage(usage, loadPriceBook('eu-west-1'))).toThrow(
      /^eu-west-1 has no price for apiGateway.webSocketMessages \(.*not found\)$/,
    )
  })

  test('matters only in the tier that is reached', () => {
    expect(total({ 'iotCore.directMessages': 1_000_000_000 })).toBe(parseUsd('1800'))
    expect(() => total({ 'iotCore.directMessages': 1_000_000_001 })).toThrow(PriceMissing)
  })

  test('is not confused with an item that does not exist', () => {
    expect(() => total({ 'iotCore.message': 1 })).toThrow('"iotCore.message" is not a priced item; did you mean "iotCore.messages"?')
  })

  test('a later tier can be less certain than the first', () => {
    const ireland = loadPriceBook('eu-west-1')
    const confidenceOf = (messages: number) => priceUsage({ 'iotCore.messages': messages }, ireland).lineItems[0]!.confidence
    expect([confidenceOf(1e9), confidenceOf(1e9 + 1)]).toEqual(['verified', 'inferred'])
    expect(leastCertain(['verified', 'recalled', 'inferred'])).toBe('recalled')
  })
})

test('addUsage adds item by item', () => {
  expect(addUsage({ a: 1, b: 2 }, { b: 3 }, {})).toEqual({ a: 1, b: 5 })
})
