// Pages that are written from the code, so that they cannot say what it does not do: configuration, errors, events.
import { z } from 'zod'
import { configSchema } from './config.ts'
import { codes, type ErrorKind } from './errors.ts'
import { type EventKind, events } from './observe/events.ts'

const generated = (from: string) => `<!-- generated from ${from}, do not edit -->`

export function toErrorsPage(): string {
  const rows = Object.entries<ErrorKind>(codes).map(
    ([code, { means, status, retryable }]) => `| \`${code}\` | ${means} | ${retryable ? 'yes' : 'no'} | ${status} |`,
  )
  return `${generated('gateway/errors.ts')}
# Errors

Everything that can go wrong has a code. Retryable means that the same call may succeed later: it is tried again, and a message waits for it. The status is what a client sees over HTTP.

| Code | Means | Retryable | HTTP status |
|---|---|---|---|
${rows.join('\n')}
`
}

export function toEventsPage(): string {
  const rows = Object.entries<EventKind>(events).map(([event, { level, always, means, metric, labels = [] }]) => {
    const counter = metric === undefined ? '' : `\`weir_${metric}\`${labels.length > 0 ? ` by ${labels.join(', ')}` : ''}`
    return `| \`${event}\` | ${level === 'none' ? 'not logged' : level}${always ? ', always' : ''} | ${means} | ${counter} |`
  })
  return `${generated('gateway/observe/events.ts')}
# Events

One line of the log is one event, as JSON with the name first: \`{"level":"warn","time":"…","event":"action.failed","rule":"telemetry",…}\`. The same row gives the
Prometheus counter at \`/metrics\` and the live view at \`/api/events\`. What says \`always\` is written at every level, \`silent\` included, because programs wait for it. Repeating warnings are thinned out; a line then says how many were \`suppressed\`. Payloads are never logged.

| Event | Level | Means | Counter |
|---|---|---|---|
${rows.join('\n')}
`
}

export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema
}

/** For editors: what a config file may say. */
export function configJsonSchema(): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' })
  return { $schema, $comment: 'generated, do not edit', title: 'weir gateway configuration', ...rest } as JsonSchema
}

export function toConfigPage(): string {
  const rows = fields(configJsonSchema(), '').map(
    ({ path, type, fallback, description }) => `| \`${path}\` | ${type} | ${fallback} | ${description} |`,
  )
  return `${generated('the schemas of the rooms')}
# Configuration

A JSON file for \`weir gateway --config\`. Everything may be left out. \`\${NAME}\` in a string is filled from the environment; flags override the file; an unknown key is an error that names the
nearest one. [config.schema.json](config.schema.json) makes an editor complete and check it: \`{ "$schema": "…/docs/config.schema.json" }\`.

| Field | Type | Default | Meaning |
|---|---|---|---|
${rows.join('\n')}
`
}

interface Field {
  readonly path: string
  readonly type: string
  readonly fallback: string
  readonly description: string
}

function fields(schema: JsonSchema, path: string): readonly Field[] {
  const { properties, items, additionalProperties } = schema
  const own = path === '' || schema.description === undefined ? [] : [fieldOf(schema, path)]
  const branches = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])].filter((branch) => branch.properties)
  return [
    ...own,
    ...Object.entries(properties ?? {}).flatMap(([key, value]) => fields(value, path === '' ? key : `${path}.${key}`)),
    ...unique(branches.flatMap(({ properties = {} }) => fields({ properties }, path))),
    ...(items ? fields(items, `${path}[]`) : []),
    ...(typeof additionalProperties === 'object' ? fields(additionalProperties, `${path}.<name>`) : []),
  ]
}

/** Branches of a union share fields; each is listed once, with what every branch says of it. */
function unique(all: readonly Field[]): readonly Field[] {
  const byPath = Map.groupBy(all, ({ path }) => path)
  return [...byPath.values()].map((same) => {
    const texts = [...new Set(same.map(({ description }) => description))]
    const fallbacks = [...new Set(same.map(({ fallback }) => fallback))]
    const types = [...new Set(same.map(({ type }) => type))]
    return { path: same[0]!.path, type: types.join(' or '), fallback: fallbacks.join(' or '), description: texts.join('; ') }
  })
}

function fieldOf(schema: JsonSchema, path: string): Field {
  const { default: fallback, description = '' } = schema
  const shown = fallback === undefined || typeof fallback === 'object' ? '' : `\`${JSON.stringify(fallback)}\``
  return { path, type: typeOf(schema), fallback: shown, description: description.replaceAll('|', '\\|') }
}

function typeOf({ type, enum: values, const: only, anyOf, oneOf, items }: JsonSchema): string {
  if (only !== undefined) return `\`${JSON.stringify(only)}\``
  if (values) return values.map((value) => `\`${JSON.stringify(value)}\``).join(' or ')
  const branches = anyOf ?? oneOf
  if (branches) return [...new Set(branches.map(typeOf))].join(' or ')
  return items ? `list of ${typeOf(items)}` : (type ?? 'any')
}
