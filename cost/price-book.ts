// The dated price book of a region: what AWS charges for each metered item, where that was seen, and what nobody has seen.
import { readdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { CostError, suggest } from './errors.ts'
import { parseUsd } from './money.ts'

/** How well a figure is known: seen at AWS or in two sources that agree, in one, derived from a neighbour, from memory, not at all. */
export const confidences = ['verified', 'medium', 'inferred', 'recalled', 'unknown'] as const
export type Confidence = (typeof confidences)[number]

const confidence = z.enum(confidences)
const date = z.string().regex(/^\d{4}(-\d{2}(-\d{2})?)?$/, 'a year, month or day')
const positive = z.number().positive()

const tier = z.strictObject({
  upTo: positive.nullable().describe('cumulative upper bound in units of a month; null: no bound'),
  usd: z
    .string()
    .regex(/^\d+(\.\d{1,9})?$/, 'dollars with at most nine decimals')
    .nullable()
    .describe('price of `per` units; null: not known'),
  confidence: confidence.optional().describe('where it differs from that of the price'),
})

const allowance = z.strictObject({
  amount: positive.describe('units of a month that cost nothing'),
  kind: z.enum(['always', 'first 12 months']),
  sharedBy: z.string().optional().describe('prices that name the same pool share one amount'),
  confidence: confidence.optional().describe('where it differs from that of the price'),
})

const increment = z.union([
  z.strictObject({ bytes: positive }),
  z.strictObject({ minutes: positive }),
  z.strictObject({ seconds: positive }),
  z.strictObject({ ms: positive }),
])

const price = z.strictObject({
  unit: z.string(),
  per: positive.describe('a tier’s dollars buy this many units'),
  increment: increment.nullable().describe('each message, request or session is rounded up to this'),
  tiers: z.array(tier).min(1),
  allowance: allowance.nullable(),
  confidence,
  sources: z.array(z.string()),
  date: date.nullable().describe('of the newest dated source; null: none is dated'),
  note: z.string().optional(),
})

export const priceBookSchema = z.strictObject({
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/),
  currency: z.literal('USD'),
  asOf: date.describe('when the book was written'),
  note: z.string().optional(),
  sources: z.record(z.string(), z.strictObject({ title: z.string(), date: date.nullable() })),
  prices: z.record(z.string().regex(/^[a-zA-Z0-9]+\.[A-Za-z0-9.]+$/), price),
})

export type PriceBookFile = z.infer<typeof priceBookSchema>
type PriceRow = z.infer<typeof price>

export interface Tier {
  /** Cumulative upper bound in units; undefined: no bound. */
  readonly upTo: number | undefined
  /** Of `per` units; undefined: not known. */
  readonly nanoDollars: bigint | undefined
  readonly confidence: Confidence
}

export interface Price extends Omit<PriceRow, 'tiers' | 'note'> {
  readonly item: string
  readonly tiers: readonly Tier[]
  readonly note?: string | undefined
}

export interface PriceBook extends Omit<PriceBookFile, 'prices'> {
  readonly prices: Readonly<Record<string, Price>>
}

const loaded = new Map<string, PriceBook>()
const folder = new URL('./prices/', import.meta.url)

/** Regions with a price book: a new file is a new region. */
export function regions(): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort()
}

/** Throws a CostError for a region without a book. */
export function loadPriceBook(region: string): PriceBook {
  const known = regions()
  if (!known.includes(region)) throw new CostError(`region "${region}" has no price book; ${suggest(region, known)}`)
  const book = loaded.get(region) ?? toPriceBook(JSON.parse(readFileSync(new URL(`${region}.json`, folder), 'utf8')))
  loaded.set(region, book)
  return book
}

/** Checks a book's JSON and turns its dollars into nano-dollars. */
export function toPriceBook(file: unknown): PriceBook {
  const book = priceBookSchema.parse(file)
  return { ...book, prices: Object.fromEntries(Object.entries(book.prices).map(([item, row]) => [item, toPrice(item, row)])) }
}

/** Throws for a name that no book has: a mistake of the caller, not a missing price. */
export function priceOf(book: PriceBook, item: string): Price {
  const found = Object.hasOwn(book.prices, item) ? book.prices[item] : undefined
  if (!found) throw new CostError(`"${item}" is not a priced item; ${suggest(item, Object.keys(book.prices))}`)
  return found
}

/** Bytes of one billed unit: 5,120 for an IoT Core message. Throws where the item is not metered by size. */
export function incrementBytes(book: PriceBook, item: string): number {
  const { increment } = priceOf(book, item)
  if (!increment || !('bytes' in increment)) throw new Error(`${item} is not metered by size`)
  return increment.bytes
}

function toPrice(item: string, row: PriceRow): Price {
  const tiers = row.tiers.map(({ upTo, usd, confidence }) => ({
    upTo: upTo ?? undefined,
    nanoDollars: usd === null ? undefined : parseUsd(usd),
    confidence: confidence ?? row.confidence,
  }))
  return { ...row, item, tiers }
}
