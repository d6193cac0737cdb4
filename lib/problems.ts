// From a schema's complaint to a sentence: the path, what was expected, and the name that was probably meant.
import type { z } from 'zod'
import { nearest } from './nearest.ts'

type Schema = z.ZodType

export interface Problem {
  /** `actions[0].sqs.queueUrl`; empty for the whole. */
  readonly field: string
  /** A sentence that names the field. */
  readonly text: string
}

/** The value as the schema reads it. Else throws what `refuse` makes of the problems: one sentence a line, each beginning with `where`. */
export function parseAs<T extends Schema>(schema: T, value: unknown, where: string, refuse: (problems: string) => Error): z.output<T> {
  const parsed = parseOrProblems(schema, value)
  if ('value' in parsed) return parsed.value
  throw refuse(parsed.problems.map(({ text }) => `${where}: ${text}`).join('\n'))
}

/** The same without throwing, for whoever wants to go on after a problem. */
export function parseOrProblems<T extends Schema>(
  schema: T,
  value: unknown,
): { readonly value: z.output<T> } | { readonly problems: readonly Problem[] } {
  const { success, data, error } = schema.safeParse(value)
  if (success) return { value: data }
  return { problems: error.issues.map((issue) => ({ field: pathText(issue.path), text: explain(issue, schema, value) })) }
}

/** `['actions', 0, 'sqs']` becomes `actions[0].sqs`. */
export function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return text.replace(/^\./, '')
}

/** One issue of a failed parse in words: `populations[0].modle is not a known field; did you mean "model"?` */
function explain(issue: z.core.$ZodIssue, schema: Schema, input: unknown): string {
  const at = pathText(issue.path) || 'it'
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path, input)
    return issue.keys.map((key) => `${pathText([...issue.path, key])} is not a known field; ${suggest(key, known)}`).join('; ')
  }
  if (issue.code === 'invalid_key') return `${at}: ${issue.issues[0]?.message ?? 'the name is not allowed'}`
  if (issue.code === 'invalid_value' && valueAt(input, issue.path) === undefined)
    return `${at} is missing; expected ${issue.values.length === 1 ? show(issue.values[0]) : `one of ${issue.values.join(', ')}`}`
  if (issue.code === 'invalid_value' && issue.values.length === 1)
    return `${at} is ${show(valueAt(input, issue.path))}; expected ${show(issue.values[0])}`
  if (issue.code === 'invalid_value')
    return `${at} is ${show(valueAt(input, issue.path))}; ${suggest(valueAt(input, issue.path), issue.values.map(String))}`
  if (issue.code === 'invalid_union') return explainUnion(issue, schema, input, at)
  // A text of the wrong form is not repeated: it may be a secret that somebody pasted.
  if (issue.code === 'custom' || issue.code === 'invalid_format') return `${at}: ${issue.message.replace(/^Invalid string: /, '')}`
  if (issue.code === 'invalid_type' && valueAt(input, issue.path) === undefined)
    return `${at} is missing; expected ${issue.expected === 'record' ? 'an object' : issue.expected}`
  return `${at} is ${show(valueAt(input, issue.path))}; expected ${issue.message
    .replace(/^Invalid (input|string): (expected |must )?/, '')
    .replace(/, received .*$/, '')
    .replace(/^Too \w+: expected \w+ to (be )?/, '')
    .replace(/^record$/, 'object')}`
}

function explainUnion(issue: z.core.$ZodIssueInvalidUnion, schema: Schema, input: unknown, at: string): string {
  if (issue.discriminator !== undefined) {
    const given = valueAt(input, issue.path)
    const options = branches(schemaAt(schema, issue.path.slice(0, -1), input)).flatMap((branch) =>
      literals(shapeOf(branch)?.[String(issue.path.at(-1))]),
    )
    return given === undefined
      ? `${at} is missing; expected one of ${options.join(', ')}`
      : `${at} is ${show(given)}; ${suggest(given, options)}`
  }
  // The branch that got furthest says most: one that complains deeper, or about a key, knows this shape.
  const inner = issue.errors.flat().sort((a, b) => depth(b) - depth(a))[0]
  return inner ? explain({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, schema, input) : `${at}: ${issue.message}`
}

const depth = (issue: z.core.$ZodIssue) => issue.path.length * 2 + (issue.code === 'unrecognized_keys' || issue.code === 'custom' ? 1 : 0)

/** What was probably meant, or else everything that could have been. */
function suggest(given: unknown, known: readonly string[]): string {
  const meant = typeof given === 'string' ? nearest(given, known) : undefined
  return meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${meant}"?`
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input)
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** The schema under wrappers: default, optional, transform. */
function bare(schema: Schema): Schema {
  const def = schema.def as { type: string; innerType?: Schema; in?: Schema }
  if (def.innerType) return bare(def.innerType)
  return def.type === 'pipe' && def.in ? bare(def.in) : schema
}

function branches(schema: Schema): readonly Schema[] {
  const def = bare(schema).def as { options?: readonly Schema[] }
  return def.options ? def.options.flatMap(branches) : [bare(schema)]
}

function shapeOf(schema: Schema): Record<string, Schema> | undefined {
  return (bare(schema).def as { shape?: Record<string, Schema> }).shape
}

function literals(schema: Schema | undefined): readonly string[] {
  return schema ? ((bare(schema).def as { values?: readonly unknown[] }).values ?? []).map(String) : []
}

/** Where a union branches on a literal field, only the branches that the input chose. */
function chosen(schema: Schema, input: unknown): readonly Schema[] {
  const all = branches(schema)
  const fits = all.filter((branch) =>
    Object.entries(shapeOf(branch) ?? {}).every(([key, field]) => {
      const values = literals(field)
      const given = (input as Record<string, unknown> | undefined)?.[key]
      return values.length === 0 || given === undefined || values.includes(String(given))
    }),
  )
  return fits.length ? fits : all
}

function schemaAt(schema: Schema, path: readonly PropertyKey[], input: unknown): Schema {
  const [key, ...rest] = path
  if (key === undefined) return schema
  const value = (input as Record<PropertyKey, unknown> | undefined)?.[key]
  for (const branch of chosen(schema, input)) {
    const def = branch.def as { element?: Schema; valueType?: Schema }
    const next = shapeOf(branch)?.[String(key)] ?? def.element ?? def.valueType
    if (next) return schemaAt(next, rest, value)
  }
  return schema
}

function keysAt(schema: Schema, path: readonly PropertyKey[], input: unknown): readonly string[] {
  const at = chosen(schemaAt(schema, path, input), valueAt(input, path))
  return [...new Set(at.flatMap((branch) => Object.keys(shapeOf(branch) ?? {})))]
}
