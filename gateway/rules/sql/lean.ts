// The short way for statements that read a few top-level keys: the payload is scanned, never built, and fields go out as they came in.
import type { Expression, StatementTree } from './ast.ts'
import { type Evaluate, inherited } from './compile.ts'
import { parseJson } from './json.ts'
import { type Ranges, scan } from './scan.ts'
import type { Scope } from './scope.ts'
import type { CompiledSelect } from './select.ts'
import { assign, type Value } from './value.ts'

/** The same body as the general way, `null` where WHERE is not true, or undefined: the general way must decide. */
export type Lean = (scope: Scope) => Uint8Array | null | undefined

/** More keys than this are found faster by the parser. */
const maxKeys = 8

/** Undefined for statements that need the whole payload: with `*`, nested queries, variables, VALUE or dotted aliases. */
export function compileLean({ set, select: clause }: StatementTree, select: CompiledSelect): Lean | undefined {
  const paths = select.items.map(({ path }) => path)
  const outputs = paths.map((path) => path?.[0] ?? '')
  if (set.length > 0 || clause.value || paths.some((path) => path?.length !== 1) || new Set(outputs).size < outputs.length) return undefined
  const evaluated = new Set<string>()
  const expressions = clause.items.map(({ expression }) => expression)
  const computed = expressions.filter(({ kind }) => kind !== 'name')
  const readable = [...computed, ...(clause.where ? [clause.where] : [])].every((node) => collectNames(node, evaluated))
  const names = [...new Set([...evaluated, ...expressions.flatMap((node) => (node.kind === 'name' ? [node.name] : []))])]
  if (!readable || names.length > maxKeys || names.some((name) => inherited.has(name))) return undefined
  const fields = expressions.map((node, i) => ({
    prefix: `${JSON.stringify(outputs[i])}:`,
    slot: node.kind === 'name' ? names.indexOf(node.name) : -1,
    evaluate: select.items[i]!.evaluate,
  }))
  return createLean({ names, evaluated: names.map((name) => evaluated.has(name)), fields, where: select.where })
}

/** Adds the names an expression reads; false where it reads more than names. */
function collectNames(node: Expression, names: Set<string>): boolean {
  const all = (nodes: readonly Expression[]) => nodes.every((part) => collectNames(part, names))
  switch (node.kind) {
    case 'name':
      names.add(node.name)
      return true
    case 'literal':
      return true
    case 'member':
      return collectNames(node.object, names)
    case 'call':
      return all(node.args)
    case 'cast':
    case 'unary':
      return collectNames(node.operand, names)
    case 'binary':
      return all([node.left, node.right])
    case 'case':
      return all([
        node.subject,
        ...node.branches.flatMap(({ when, result }) => [when, result]),
        ...(node.otherwise ? [node.otherwise] : []),
      ])
    case 'array':
      return all(node.items)
    case 'object':
      return all(node.members.map(({ value }) => value))
    case 'star':
    case 'variable':
    case 'query':
    case 'exists':
      return false
    default:
      return node satisfies never
  }
}

interface Plan {
  readonly names: readonly string[]
  /** Which of the names are needed as values; the others only pass through. */
  readonly evaluated: readonly boolean[]
  readonly fields: readonly { readonly prefix: string; readonly slot: number; readonly evaluate: Evaluate }[]
  readonly where: Evaluate | undefined
}

function createLean({ names, evaluated, fields, where }: Plan): Lean {
  const ranges: Ranges = { starts: new Int32Array(names.length), ends: new Int32Array(names.length) }
  const { starts, ends } = ranges
  return (scope) => {
    let text = ''
    if (names.length > 0) {
      const scannable = scope.scannable()
      if (scannable === undefined || !scan(scannable, names, ranges)) return undefined
      text = scannable
    }
    const row: Record<string, Value> = {}
    for (let i = 0; i < names.length; i++) {
      if (starts[i] === -1) continue
      if (isLong(text, starts[i]!, ends[i]!)) return undefined
      if (evaluated[i]) assign(row, names[i]!, parsedValue(text, starts[i]!, ends[i]!))
    }
    if (where !== undefined && where(scope, row) !== true) return null
    let body = ''
    for (const { prefix, slot, evaluate } of fields) {
      const value =
        slot === -1 ? JSON.stringify(evaluate(scope, row)) : starts[slot] === -1 ? undefined : outputOf(text, starts[slot]!, ends[slot]!)
      if (value !== undefined) body += (body === '' ? '{' : ',') + prefix + value
    }
    return Buffer.from(body === '' ? '{}' : `${body}}`)
  }
}

/** A number that might need more digits than a double has, or another form than its own: the general way knows. */
function isLong(text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start)
  if (first !== minus && !(first >= 0x30 && first <= 0x39)) return false
  if (end - start > 15) return true
  for (let i = start; i < end; i++) if ((text.charCodeAt(i) | 0x20) === 0x65) return true
  return false
}

const quote = 0x22
const minus = 0x2d

function parsedValue(text: string, start: number, end: number): Value {
  const first = text.charCodeAt(start)
  if (first === quote) return text.slice(start + 1, end - 1)
  if (first === minus || (first >= 0x30 && first <= 0x39)) return Number(text.slice(start, end))
  return parseJson(text.slice(start, end))
}

/** What JSON.stringify makes of the value. A string without escapes and a number in its shortest form are themselves. */
function outputOf(text: string, start: number, end: number): string | undefined {
  const slice = text.slice(start, end)
  const first = text.charCodeAt(start)
  if (first === 0x7b || first === 0x5b) return JSON.stringify(parseJson(slice))
  if (first !== minus && !(first >= 0x30 && first <= 0x39)) return slice
  const plain = slice.includes('.') ? slice.charCodeAt(slice.length - 1) !== 0x30 && !slice.includes('0.00') : slice !== '-0'
  return plain ? slice : JSON.stringify(Number(slice))
}
