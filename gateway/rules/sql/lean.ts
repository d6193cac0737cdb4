// The short way for statements that read a few top-level keys, or take all there are: the payload is scanned, never built, and fields go
// out as they came in.
import type { Expression, StatementTree } from './ast.ts'
import type { Evaluate } from './compile.ts'
import { parseJson } from './json.ts'
import { createMembers, indexOfMember, type Ranges, scan, scanMembers } from './scan.ts'
import type { Scope } from './scope.ts'
import type { CompiledSelect } from './select.ts'
import type { Value } from './value.ts'

/** The same body as the general way, `null` where WHERE is not true, or undefined: the general way must decide. */
export type Lean = (scope: Scope) => Uint8Array | null | undefined

/** More keys than this are found faster by the parser. */
const maxKeys = 8

/** Undefined for statements that need the payload built: nested queries, variables, VALUE, dotted aliases, `*` anywhere but in front. */
export function compileLean({ set, select: clause }: StatementTree, select: CompiledSelect): Lean | undefined {
  const [head] = select.items
  const all = head?.star === true && head.path === undefined
  const items = all ? select.items.slice(1) : select.items
  const paths = items.map(({ path }) => path)
  const outputs = paths.map((path) => path?.[0] ?? '')
  if (set.length > 0 || clause.value || paths.some((path) => path?.length !== 1) || new Set(outputs).size < outputs.length) return undefined
  const evaluated = new Set<string>()
  const expressions = clause.items.slice(all ? 1 : 0).map(({ expression }) => expression)
  const computed = expressions.filter(({ kind }) => kind !== 'name')
  const readable = [...computed, ...(clause.where ? [clause.where] : [])].every((node) => collectNames(node, evaluated))
  const names = [...new Set([...evaluated, ...expressions.flatMap((node) => (node.kind === 'name' ? [node.name] : []))])]
  if (!readable || names.length > maxKeys || names.includes('__proto__')) return undefined
  const fields = expressions.map((node, i) => ({
    prefix: Buffer.from(`${JSON.stringify(outputs[i])}:`),
    slot: node.kind === 'name' ? names.indexOf(node.name) : -1,
    evaluate: items[i]!.evaluate,
  }))
  const plan = { names, evaluated: names.map((name) => evaluated.has(name)), fields, where: select.where }
  // An object has keys such as "7" in front of all others.
  if (all) return outputs.some((key) => /^\d/.test(key)) ? undefined : createLeanAll(plan)
  return createLean(plan)
}

/** Whether an expression can need the payload. */
export function readsPayload(expression: Expression): boolean {
  const names = new Set<string>()
  return !collectNames(expression, names) || names.size > 0
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

interface Field {
  /** `"key":` */
  readonly prefix: Buffer
  /** Which of the names passes through, or -1 for an expression. */
  readonly slot: number
  readonly evaluate: Evaluate
}

interface Plan {
  readonly names: readonly string[]
  /** Which of the names are needed as values; the others only pass through. */
  readonly evaluated: readonly boolean[]
  readonly fields: readonly Field[]
  readonly where: Evaluate | undefined
}

function createLean({ names, evaluated, fields, where }: Plan): Lean {
  const ranges: Ranges = { starts: new Int32Array(names.length), ends: new Int32Array(names.length) }
  const wanted = names.map((name) => Buffer.from(name))
  const { starts, ends } = ranges
  return (scope) => {
    const bytes = names.length === 0 ? nothing : scope.scannable()
    if (bytes === undefined || (names.length > 0 && !scan(bytes, wanted, ranges))) return undefined
    const row: Record<string, Value> = {}
    for (let i = 0; i < names.length; i++) {
      if (starts[i] === -1) continue
      if (isLong(bytes, starts[i]!, ends[i]!)) return undefined
      if (evaluated[i]) row[names[i]!] = valueAt(bytes, starts[i]!, ends[i]!)
    }
    if (where !== undefined && where(scope, row) !== true) return null
    return write(fields, bytes, ranges, (field) => field.evaluate(scope, row))
  }
}

/** More members than this are found faster by the parser. */
const maxMembers = 32

/** `SELECT *, … AS …`: all members of the payload as they came in, and behind them the fields, which must have other keys. */
function createLeanAll({ names, fields, where }: Plan): Lean {
  const members = createMembers(maxMembers)
  const { keyStarts, keyEnds, starts, ends } = members
  const find = (bytes: Buffer, key: Buffer) => indexOfMember(bytes, members, key, 0, key.length)
  const wanted = names.map((name) => ({ name, key: Buffer.from(JSON.stringify(name)) }))
  const keys = fields.map(({ prefix }) => prefix.subarray(0, -1))
  return (scope) => {
    const bytes = scope.scannable()
    if (bytes === undefined || !scanMembers(bytes, members)) return undefined
    for (const key of keys) if (find(bytes, key) !== -1) return undefined
    for (let i = 0; i < members.count; i++) if (isLong(bytes, starts[i]!, ends[i]!)) return undefined
    const row: Record<string, Value> = {}
    for (const { name, key } of wanted) {
      const i = find(bytes, key)
      if (i !== -1) row[name] = valueAt(bytes, starts[i]!, ends[i]!)
    }
    if (where !== undefined && where(scope, row) !== true) return null
    let pos = 0
    for (let i = 0; i < members.count; i++) {
      pos = copy(bytes, keyStarts[i]!, keyEnds[i]!, open(pos))
      scratch[pos] = colon
      pos = copyValue(bytes, starts[i]!, ends[i]!, pos + 1)
      if (pos === -1) return undefined
    }
    for (const { prefix, evaluate } of fields) {
      const text = JSON.stringify(evaluate(scope, row))
      if (text === undefined) continue
      if (pos + prefix.length + 3 * text.length + 2 > scratch.length) return undefined
      pos = copy(prefix, 0, prefix.length, open(pos))
      pos += scratch.write(text, pos)
    }
    return close(pos)
  }
}

const nothing = Buffer.alloc(0)

/** A number that might need more digits than a double has, or another form than its own: the general way knows. */
function isLong(bytes: Buffer, start: number, end: number): boolean {
  if (!isNumber(bytes[start]!)) return false
  if (end - start > 15) return true
  for (let i = start; i < end; i++) if (bytes[i] === 0x65 || bytes[i] === 0x45) return true
  return false
}

function isNumber(first: number): boolean {
  return first === minus || (first >= zero && first <= 0x39)
}

const quote = 0x22
const colon = 0x3a
const minus = 0x2d
const dot = 0x2e
const zero = 0x30

function valueAt(bytes: Buffer, start: number, end: number): Value {
  const first = bytes[start]!
  if (first === quote) return bytes.toString('utf8', start + 1, end - 1)
  return isNumber(first) ? numberAt(bytes, start, end) : parseJson(bytes.toString('utf8', start, end))
}

const powersOfTen = Array.from({ length: 16 }, (_, i) => 10 ** i)

/** Up to 15 digits are a whole number that a double holds, and its quotient by a power of ten is the double nearest to the decimal. */
function numberAt(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === minus
  let digits = 0
  let places = 0
  for (let i = negative ? start + 1 : start; i < end; i++) {
    if (bytes[i] === dot) places = end - i - 1
    else digits = digits * 10 + bytes[i]! - zero
  }
  const value = digits / powersOfTen[places]!
  return negative ? -value : value
}

// Bodies are put together here and copied out at their size; a body that does not fit is for the general way.
const scratch = Buffer.alloc(32 * 1024)

/** The object of all fields that have a value: each is copied as it came in where that is what JSON.stringify would make of it. */
function write(
  fields: readonly Field[],
  bytes: Buffer,
  { starts, ends }: Ranges,
  evaluate: (field: Field) => Value,
): Uint8Array | undefined {
  let pos = 0
  for (const field of fields) {
    const { slot, prefix } = field
    const start = slot === -1 ? -1 : starts[slot]!
    if (slot !== -1 && start === -1) continue
    const end = slot === -1 ? -1 : ends[slot]!
    const verbatim = slot !== -1 && isVerbatim(bytes, start, end)
    const text = verbatim ? '' : JSON.stringify(slot === -1 ? evaluate(field) : valueAt(bytes, start, end))
    if (text === undefined) continue
    if (pos + prefix.length + Math.max(end - start, 3 * text.length) + 2 > scratch.length) return undefined
    pos = copy(prefix, 0, prefix.length, open(pos))
    pos = verbatim ? copy(bytes, start, end, pos) : pos + scratch.write(text, pos)
  }
  return close(pos)
}

/** What stands before a member: a brace before the first, else a comma. */
function open(pos: number): number {
  scratch[pos] = pos === 0 ? 0x7b : 0x2c
  return pos + 1
}

function close(end: number): Buffer {
  let pos = end
  if (pos === 0) scratch[pos++] = 0x7b
  scratch[pos++] = 0x7d
  const body = Buffer.allocUnsafe(pos)
  scratch.copy(body, 0, 0, pos)
  return body
}

/** As JSON.stringify has it; -1 where it might not fit. What follows in the payload fits too if it is copied. */
function copyValue(bytes: Buffer, start: number, end: number, pos: number): number {
  const left = bytes.length - start + 2
  if (isVerbatim(bytes, start, end)) return pos + left > scratch.length ? -1 : copy(bytes, start, end, pos)
  const text = JSON.stringify(valueAt(bytes, start, end))
  return pos + 3 * text.length + left > scratch.length ? -1 : pos + scratch.write(text, pos)
}

/** By hand: these are a few dozen bytes, where a call into the platform costs more than the copy. */
function copy(from: Buffer, start: number, end: number, to: number): number {
  let pos = to
  for (let i = start; i < end; i++) scratch[pos++] = from[i]!
  return pos
}

/** Words, strings without escapes, and numbers in their shortest form: no `-0`, no last zero behind the dot, nothing below 1e-6. */
function isVerbatim(bytes: Buffer, start: number, end: number): boolean {
  const first = bytes[start]!
  if (first === 0x7b || first === 0x5b) return false
  if (!isNumber(first)) return true
  const lead = first === minus ? start + 1 : start
  if (bytes[lead] !== zero) return bytes[end - 1] !== zero || bytes.subarray(start, end).indexOf(dot) === -1
  return bytes[end - 1] !== zero ? Math.abs(numberAt(bytes, start, end)) >= 1e-6 : lead === start && end - start === 1
}
