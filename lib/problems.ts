// What is wrong with a person's file, in sentences: the path, what was expected, and the key they probably meant.
import type { z } from 'zod'
import { nearest } from './nearest.ts'

/** One sentence per problem, such as `listen.mqtt: expected number, received string`. */
export function problemsOf(schema: z.ZodType, error: z.ZodError): readonly string[] {
  return error.issues.flatMap((issue) => sentences(schema, issue, issue.path))
}

function sentences(schema: z.ZodType, issue: z.core.$ZodIssue, path: readonly PropertyKey[]): readonly string[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(schema, path, key))
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The branch that got furthest is the one that was meant.
    const closest = [...issue.errors].sort((a, b) => depthOf(b) - depthOf(a) || a.length - b.length)[0]!
    if (depthOf(closest) > 0) return closest.flatMap((inner) => sentences(schema, inner, [...path, ...inner.path]))
    return [
      `${pathText(path)}: expected ${issue.errors.map((branch) => branch[0]?.message.replace(/^Invalid \w+: expected /, '')).join(' or ')}`,
    ]
  }
  return [`${pathText(path)}: ${issue.message.replace(/^Invalid input: /, '')}`]
}

function unknownKey(schema: z.ZodType, path: readonly PropertyKey[], key: string): string {
  const known = keysAt(schema, path)
  const meant = nearest(key, known)
  const hint = meant ? `; did you mean ${meant}?` : known.length > 0 ? `; known here: ${known.join(', ')}` : ''
  return `${pathText([...path, key])}: unknown key${hint}`
}

const depthOf = (issues: readonly z.core.$ZodIssue[]) => Math.max(0, ...issues.map(({ path }) => path.length))

/** `['actions', 0, 'sqs']` → `actions[0].sqs` */
export function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return text.replace(/^\./, '') || '(top level)'
}

/** The keys an object at this path may have, over all branches of unions on the way. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let here: readonly unknown[] = objectsIn(schema)
  for (const part of path) here = here.flatMap((node) => child(node, part)).flatMap(objectsIn)
  return [...new Set(here.flatMap((node) => Object.keys(defOf(node).shape ?? {})))]
}

interface Def {
  readonly innerType?: unknown
  readonly in?: unknown
  readonly options?: readonly unknown[]
  readonly shape?: Readonly<Record<string, unknown>>
  readonly element?: unknown
  readonly valueType?: unknown
  readonly getter?: () => unknown
}

const defOf = (node: unknown) => (node as { readonly def: Def }).def

/** Strips defaults, optionals, pipes, lazies and unions down to objects, arrays and records. */
function objectsIn(node: unknown): readonly unknown[] {
  const { innerType, options, getter, in: input } = defOf(node)
  if (options) return options.flatMap(objectsIn)
  const inner = innerType ?? input ?? getter?.()
  return inner === undefined ? [node] : objectsIn(inner)
}

function child(node: unknown, part: PropertyKey): readonly unknown[] {
  const { shape, element, valueType } = defOf(node)
  const next = shape?.[String(part)] ?? element ?? valueType
  return next === undefined ? [] : [next]
}
