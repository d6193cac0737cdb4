// From metered quantities to a bill: allowance first, then the tiers, in exact nano-dollars.
import { PriceMissing } from './errors.ts'
import { divideRounded } from './money.ts'
import { type Confidence, confidences, type Price, type PriceBook, priceOf } from './price-book.ts'

/** Units of a month for each priced item, such as `iotCore.messages`; fractions only where the unit has them (GB, hours). */
export type Usage = Readonly<Record<string, number>>

export interface LineItem {
  readonly item: string
  /** Units used, before any allowance. */
  readonly quantity: number
  readonly nanoDollars: bigint
  readonly confidence: Confidence
}

export interface Bill {
  readonly lineItems: readonly LineItem[]
  readonly totalNanoDollars: bigint
}

/** Which free amounts to subtract: none, all, or those of the named items (`iotCore.messages`, or `messages` for short). */
export type Allowances = 'none' | 'all' | readonly string[]

/** Quantities are kept to the millionth of a unit, finer than any published price can tell. */
const millionths = 1_000_000n

/** Throws PriceMissing when a tier that the usage reaches has no price. Items with no usage leave no line. */
export function priceUsage(usage: Usage, book: PriceBook, allowances: Allowances = 'none'): Bill {
  const left = new Map<string, bigint>()
  const lineItems = Object.entries(usage)
    .filter(([, quantity]) => quantity !== 0)
    .map(([item, quantity]) => priceItem(priceOf(book, item), quantity, book, allowances, left))
  return { lineItems, totalNanoDollars: lineItems.reduce((sum, { nanoDollars }) => sum + nanoDollars, 0n) }
}

/** Adds usages item by item. */
export function addUsage(...usages: readonly Usage[]): Usage {
  const sum: Record<string, number> = {}
  for (const usage of usages) for (const item in usage) sum[item] = (sum[item] ?? 0) + usage[item]!
  return sum
}

/** The least certain of several figures: what a sum of them can claim. */
export function leastCertain(all: readonly Confidence[]): Confidence {
  return confidences[Math.max(0, ...all.map((one) => confidences.indexOf(one)))]!
}

function priceItem(price: Price, quantity: number, book: PriceBook, allowances: Allowances, left: Map<string, bigint>): LineItem {
  const billable = subtractAllowance(price, toMillionths(quantity), allowances, left)
  let from = 0n
  let dividend = 0n
  const reached: Confidence[] = []
  for (const { upTo, nanoDollars, confidence } of price.tiers) {
    const to = upTo === undefined ? billable : min(billable, toMillionths(upTo))
    if (to <= from && reached.length > 0) break
    if (nanoDollars === undefined) throw new PriceMissing(price.item, book.region, price.note)
    dividend += (to - from) * nanoDollars
    reached.push(confidence)
    from = to
  }
  const nanoDollars = divideRounded(dividend, BigInt(price.per) * millionths)
  return { item: price.item, quantity: Number(quantity.toFixed(6)), nanoDollars, confidence: leastCertain(reached) }
}

/** A pool such as that of the SQS queue types is used up in the order of the lines. */
function subtractAllowance({ item, allowance }: Price, quantity: bigint, allowances: Allowances, left: Map<string, bigint>): bigint {
  if (!allowance || !isGranted(item, allowances)) return quantity
  const pool = allowance.sharedBy ?? item
  const free = min(quantity, left.get(pool) ?? toMillionths(allowance.amount))
  left.set(pool, (left.get(pool) ?? toMillionths(allowance.amount)) - free)
  return quantity - free
}

function isGranted(item: string, allowances: Allowances): boolean {
  if (typeof allowances === 'string') return allowances === 'all'
  return allowances.includes(item) || allowances.includes(item.slice(item.indexOf('.') + 1))
}

/** Exact for whole numbers of any size; the fraction is rounded to a millionth. */
function toMillionths(quantity: number): bigint {
  const whole = Math.floor(quantity)
  return BigInt(whole) * millionths + BigInt(Math.round((quantity - whole) * Number(millionths)))
}

const min = (a: bigint, b: bigint) => (a < b ? a : b)
