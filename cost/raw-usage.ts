// Raw usage as people state it (so many devices, messages a day, bytes) to the quantities of a bill, or a sentence about what is wrong.
import { z } from 'zod'
import { parseAs } from '../lib/problems.ts'
import { CostError } from './errors.ts'
import { type Allowances, addUsage, type Usage } from './price.ts'
import { loadPriceBook, type PriceBook } from './price-book.ts'
import { type ServiceName, serviceNames, services } from './services/index.ts'
import { type Common, common, commonUsage, type Service } from './services/service.ts'

/** One service's inputs under its name, alone or in a list, inside the inputs of another or of none. */
const isNested = (key: string, value: unknown) => serviceNames.includes(key as ServiceName) && typeof value === 'object' && value !== null

export interface RawUsage {
  readonly usage: Usage
  readonly book: PriceBook
  readonly allowances: Allowances
}

/** Throws a CostError that names the field for anything unknown, negative or of the wrong type. */
export function readRawUsage(inputs: unknown, serviceName?: string): RawUsage {
  const fields = record(inputs)
  const shared = Object.fromEntries(Object.entries(fields).filter(([key]) => Object.hasOwn(common, key)))
  const book = loadPriceBook(text(fields, 'region') ?? 'us-east-1')
  const nested = Object.entries(fields).filter(([key, value]) => isNested(key, value))
  const own = Object.fromEntries(Object.entries(fields).filter(([key, value]) => !isNested(key, value)))
  const inherited = Object.fromEntries(['devices', 'days'].filter((key) => key in shared).map((key) => [key, shared[key]]))
  const parts = nested.flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((part) => serviceUsage(name as ServiceName, { ...inherited, ...record(part) }, book)),
  )
  const isBare = Object.keys(own).every((key) => Object.hasOwn(common, key))
  const alone = isBare ? commonUsage(parse(z.strictObject(common), own)) : serviceUsage(chooseService(own, serviceName), own, book)
  return { usage: addUsage(alone, ...parts), book, allowances: allowancesOf(parse(z.object(common), shared)) }
}

function serviceUsage(name: ServiceName, inputs: Record<string, unknown>, book: PriceBook): Usage {
  const { fields, usage } = services[name] as unknown as Service<z.ZodRawShape>
  const parsed = parse(z.strictObject({ ...common, ...fields }), inputs) as Common
  return addUsage(usage(parsed as never, book), commonUsage(parsed))
}

const allowancesOf = ({ freeTier, freeTierDimensions }: Common): Allowances => (freeTier ? 'all' : freeTierDimensions)

/** The service that was named, or the one that knows most of the fields. */
function chooseService(inputs: Record<string, unknown>, name: string | undefined): ServiceName {
  if (name !== undefined && Object.hasOwn(services, name)) return name as ServiceName
  const known = (one: ServiceName) => Object.keys(inputs).filter((key) => Object.hasOwn(services[one].fields, key)).length
  return serviceNames.reduce((best, one) => (known(one) > known(best) ? one : best))
}

function parse<T extends z.ZodObject>(schema: T, inputs: unknown): z.output<T> {
  return parseAs(schema, inputs, 'inputs', (problems) => new CostError(problems))
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new CostError('inputs must be a JSON object')
  return value as Record<string, unknown>
}

function text(fields: Record<string, unknown>, key: string): string | undefined {
  const value = fields[key]
  if (value === undefined || typeof value === 'string') return value
  throw new CostError(`${key}: expected text`)
}
