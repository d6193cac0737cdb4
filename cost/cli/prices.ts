// `weir cost prices`: the price book as a table, so that every figure can be checked against its source.
import type { Price, PriceBook, Tier } from '../price-book.ts'
import { textTable } from '../table.ts'

export function formatPrices(book: PriceBook): string {
  const rows = Object.values(book.prices).map((price) => [
    price.item,
    price.tiers.map(formatTier).join(', '),
    `${price.per === 1 ? '' : `${formatCount(price.per)} `}${price.unit}`,
    price.increment ? Object.entries(price.increment).map(([unit, size]) => `${formatCount(size)} ${unit}`)[0]! : '-',
    price.allowance ? `${formatCount(price.allowance.amount)} (${price.allowance.kind})` : '-',
    price.confidence,
    price.sources.join(' ') || '-',
    price.date ?? '-',
  ])
  const header = ['item', 'USD (up to units)', 'for', 'step', 'free a month', 'confidence', 'sources', 'date']
  const sources = Object.entries(book.sources).map(([id, { title, date }]) => `  ${id.padEnd(4)} ${title}${date ? ` (${date})` : ''}`)
  const notes = Object.values(book.prices).flatMap(({ item, note }) => (note ? [`  ${item}: ${note}`] : []))
  const title = `Prices of ${book.region} in ${book.currency}, book of ${book.asOf}${book.note ? `: ${book.note}` : ''}`
  return [
    title,
    '',
    textTable(
      header,
      rows,
      header.map((_, i) => i),
    ),
    '',
    'Sources',
    ...sources,
    '',
    'Notes',
    ...notes,
  ].join('\n')
}

/** The book as JSON: dollars as they are written in its file. */
export function pricesJson({ prices, ...book }: PriceBook): unknown {
  return { ...book, prices: Object.fromEntries(Object.entries(prices).map(([item, price]) => [item, priceJson(price)])) }
}

function priceJson({ item: _, tiers, ...price }: Price): unknown {
  return {
    ...price,
    tiers: tiers.map(({ upTo, nanoDollars, confidence }) => ({ upTo: upTo ?? null, usd: decimal(nanoDollars), confidence })),
  }
}

function formatTier({ upTo, nanoDollars }: Tier): string {
  return `${decimal(nanoDollars) ?? 'unknown'}${upTo === undefined ? '' : ` (${formatCount(upTo)})`}`
}

/** 80000000n → `0.08`. */
function decimal(nanos: bigint | undefined): string | null {
  if (nanos === undefined) return null
  const digits = nanos.toString().padStart(10, '0')
  const fraction = digits.slice(-9).replace(/0+$/, '').padEnd(2, '0')
  return `${digits.slice(0, -9)}.${fraction}`
}

const formatCount = (n: number) => n.toLocaleString('en-US')
