// `weir cost price`: raw usage in, dollars out, a line at a time.
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { CostError } from '../errors.ts'
import { toUsd } from '../money.ts'
import { type Bill, priceUsage } from '../price.ts'
import { readRawUsage } from '../raw-usage.ts'

export interface PricedLine {
  readonly id?: unknown
  readonly quantities: Readonly<Record<string, number>>
  readonly lineItems: Readonly<Record<string, number>>
  readonly totalUsd: number
}

/** One JSON document: `{id?, service?, inputs}`, or the inputs alone. Throws a CostError. */
export function priceLine(text: string): PricedLine {
  const line = parseJson(text)
  const isWrapped = 'inputs' in line
  const { usage, book, allowances } = readRawUsage(isWrapped ? line.inputs : line, isWrapped ? serviceOf(line) : undefined)
  return { ...('id' in line && isWrapped && { id: line.id }), ...toJson(priceUsage(usage, book, allowances)) }
}

/** Prices every line of `input`; a bad one becomes `{id, error}` and the others go on. Resolves to the exit code. */
export async function priceLines(input: Readable, output: Writable, errors: Writable): Promise<0 | 1 | 2> {
  let exitCode: 0 | 1 | 2 = 0
  let number = 0
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++
    if (text.trim() === '') continue
    try {
      output.write(`${JSON.stringify(priceLine(text))}\n`)
    } catch (error) {
      if (!(error instanceof CostError)) throw error
      if (error.exitCode > exitCode) exitCode = error.exitCode
      output.write(`${JSON.stringify({ ...idOf(text), error: error.message })}\n`)
      errors.write(`line ${number}: ${error.message}\n`)
    }
  }
  return exitCode
}

function toJson({ lineItems, totalNanoDollars }: Bill): Omit<PricedLine, 'id'> {
  return {
    quantities: Object.fromEntries(lineItems.map(({ item, quantity }) => [item, quantity])),
    lineItems: Object.fromEntries(lineItems.map(({ item, nanoDollars }) => [item, toUsd(nanoDollars)])),
    totalUsd: toUsd(totalNanoDollars),
  }
}

function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    throw new CostError('the line is not JSON')
  }
  throw new CostError('expected a JSON object with inputs')
}

function serviceOf({ service }: Record<string, unknown>): string | undefined {
  return typeof service === 'string' ? service : undefined
}

function idOf(text: string): { readonly id?: unknown } {
  try {
    const { id } = parseJson(text)
    return id === undefined ? {} : { id }
  } catch {
    return {}
  }
}
