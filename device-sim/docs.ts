// The tables of docs/fleet.md, written from the schemas and tables of the code, so that they cannot say what it does not do.
import { driverNames, drivers } from './drivers/index.ts'
import { scenarioJsonSchema } from './json-schema.ts'
import { type ModelName, modelNamed } from './models/index.ts'
import { thresholdMetrics } from './thresholds.ts'

interface Schema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
}

const fields = (scenarioJsonSchema() as Schema).properties!
const population = fields.populations!.items!.oneOf!
const kindsOf = (schema: Schema | undefined): readonly Schema[] => schema?.oneOf ?? schema?.anyOf?.flatMap(kindsOf) ?? []

const tables: Readonly<Record<string, () => string>> = {
  drivers: () =>
    table(
      ['`--protocol`', 'Speaks', 'Usual target'],
      driverNames.map((name) => [code(name), drivers[name].summary, code(drivers[name].target)]),
    ),
  scenario: () => fieldTable(fields, ['$schema']),
  population: () => fieldTable(population[0]!.properties!, ['model', 'params']),
  sensors: () => fieldTable((population[0]!.properties!.sensors!.additionalProperties as Schema).properties!),
  models: () =>
    table(
      ['Model', 'Is', 'Encoding', '`params`'],
      population.map(({ properties = {} }) => {
        const name = properties.model!.const as ModelName
        const { summary, encoding = 'json' } = modelNamed(name)
        return [code(name), summary, encoding, inline(properties.params!.properties ?? {})]
      }),
    ),
  intervals: () => kindTable(kindsOf(population[0]!.properties!.interval)),
  phases: () => kindTable(kindsOf(fields.phases!.items)),
  faults: () => kindTable(kindsOf(fields.faults!.items)),
  thresholds: () =>
    table(
      ['Looks at', 'As'],
      thresholdMetrics.map(({ name, stats }) => [
        code(name),
        stats.length ? stats.map((stat) => code(`${name} ${stat}`)).join(', ') : 'a number',
      ]),
    ),
}

/** The page with every table between `<!-- table: name -->` and `<!-- end -->` written anew. Throws on a name that is not there. */
export function withTables(page: string): string {
  return page.replace(/(<!-- table: (\w+)[^>]*-->\n)[\s\S]*?(<!-- end -->)/g, (_, start, name, end) => {
    const write = tables[name]
    if (!write) throw new Error(`there is no table "${name}"; expected one of ${Object.keys(tables).join(', ')}`)
    return `${start}${write()}\n${end}`
  })
}

function fieldTable(properties: Readonly<Record<string, Schema>>, without: readonly string[] = []): string {
  const rows = Object.entries(properties)
    .filter(([name]) => !without.includes(name))
    .map(([name, schema]) => [code(name), defaultOf(schema), schema.description ?? ''])
  return table(['Field', 'Default', 'Says'], rows)
}

function kindTable(kinds: readonly Schema[]): string {
  return table(
    ['`kind`', 'Means', 'Fields'],
    kinds.map(({ properties: { kind, ...rest } = {} }) => [code(String(kind?.const)), kind?.description ?? '', inline(rest)]),
  )
}

function inline(properties: Readonly<Record<string, Schema>>): string {
  return Object.entries(properties)
    .map(([name, schema]) => {
      const usual = defaultOf(schema)
      return `${code(name)} ${schema.description ?? ''}${usual && ` (${usual})`}`
    })
    .join('; ')
}

function defaultOf({ default: usual }: Schema): string {
  return usual === undefined ? '' : code(JSON.stringify(usual))
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}
