// The short way for statements that read a few top-level keys, or take all there are: the payload is scanned, never built, and fields go
// out as they came in.
import { Buffer } from 'node:buffer'
import { JsonText } from '../../message.ts'
import type { Expression, StatementTree } from './ast.ts'
import type { Evaluate } from './compile.ts'
import { parseJson } from './json.ts'
import { perTopic } from './per-topic.ts'
import { createMembers, indexOfMember, type Members, type Ranges, scan, scanMembers } from './scan.ts'
import type { Scannable, Scope } from './scope.ts'
import type { CompiledSelect } from './select.ts'
import type { Value } from './value.ts'

/** The same body as the general way, `null` where WHERE is not true, or undefined: the general way must decide. */
export type Lean = (scope: Scope) => JsonText | null | undefined

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
    key: JSON.stringify(outputs[i]),
    slot: node.kind === 'name' ? names.indexOf(node.name) : -1,
    evaluate: items[i]!.evaluate,
    isFixed: isFixed(node),
  }))
  const plan = { names, evaluated: names.map((name) => evaluated.has(name)), fields, where: select.where }
  // An object has keys such as "7" in front of all others.
  if (all) return outputs.some((key) => /^\d/.test(key)) ? undefined : createLeanAll(plan)
  return createLean(plan)
}

/** The same for every message of a topic. */
export function isFixed(node: Expression): boolean {
  return node.kind === 'literal' || (node.kind === 'call' && node.name.toLowerCase() === 'topic' && node.args.every(isFixed))
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
  /** With its quotes. */
  readonly key: string
  /** Which of the names passes through, or -1 for an expression. */
  readonly slot: number
  readonly evaluate: Evaluate
  readonly isFixed: boolean
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
  // The others pass through: they are cut from the payload.
  const print = createPrinter(fields.map((field) => (field.slot === -1 ? field : { ...field, isFixed: true, evaluate: () => undefined })))
  const printed: Printed[] = []
  const passing = fields.filter(({ slot }) => slot !== -1).length
  return (scope) => {
    const scannable = names.length === 0 ? nothing : scope.scannable()
    if (scannable === undefined) return undefined
    const { bytes } = scannable
    if (names.length > 0 && !scan(bytes, wanted, ranges)) return undefined
    const row: Record<string, Value> = {}
    for (let i = 0; i < names.length; i++) {
      if (starts[i] === -1) continue
      if (isLong(bytes, starts[i]!, ends[i]!)) return undefined
      if (evaluated[i]) row[names[i]!] = valueAt(bytes, starts[i]!, ends[i]!)
    }
    if (where !== undefined && where(scope, row) !== true) return null
    // For a few parts, one text of all is more than they are.
    const source = passing > 2 ? sourceOf(scannable) : { bytes, text: undefined }
    print(scope, row, printed)
    let body = ''
    for (let i = 0; i < fields.length; i++) {
      const { key, slot } = fields[i]!
      if (slot === -1) body += printed[i]!.text
      else if (starts[slot] !== -1) body += `,${key}:${textAt(source, starts[slot]!, ends[slot]!)}`
    }
    return JsonText.of(`{${body.slice(1)}}`)
  }
}

/** More members than this are found faster by the parser. */
const maxMembers = 32

/** `SELECT *, … AS …`: all members of the payload as they came in, and behind them the fields, which must have other keys. */
function createLeanAll({ names, fields, where }: Plan): Lean {
  const members = createMembers(maxMembers)
  const { starts, ends } = members
  const find = (bytes: Buffer, key: Buffer) => indexOfMember(bytes, members, key, 0, key.length)
  const wanted = names.map((name) => ({ name, key: Buffer.from(JSON.stringify(name)) }))
  const keys = fields.map(({ key }) => Buffer.from(key))
  const print = createPrinter(fields)
  const printed: Printed[] = []
  return (scope) => {
    const scannable = scope.scannable()
    if (scannable === undefined) return undefined
    const { bytes } = scannable
    if (!scanMembers(bytes, members)) return undefined
    for (const key of keys) if (find(bytes, key) !== -1) return undefined
    for (let i = 0; i < members.count; i++) if (isLong(bytes, starts[i]!, ends[i]!)) return undefined
    const row: Record<string, Value> = wanted.length === 0 ? emptyRow : {}
    for (const { name, key } of wanted) {
      const i = find(bytes, key)
      if (i !== -1) row[name] = valueAt(bytes, starts[i]!, ends[i]!)
    }
    if (where !== undefined && where(scope, row) !== true) return null
    print(scope, row, printed)
    return joined(objectOf(scannable, members), scannable.isAscii, printed)
  }
}

/** The object and, behind its members, the fields, which begin with a comma each. */
function joined(object: Uint8Array, isAscii: boolean, fields: readonly Printed[]): JsonText {
  let added = 0
  for (const { bytes } of fields) added += bytes.length
  // They take the place of its last brace, and where it has no members the first brace that of the comma.
  let at = object.length === 2 && added > 0 ? 0 : object.length - 1
  const bytes = Buffer.allocUnsafe(at + added + 1)
  bytes.set(object)
  for (const field of fields) {
    bytes.set(field.bytes, at)
    at += field.bytes.length
    isAscii &&= field.isAscii
  }
  bytes[0] = openBrace
  bytes[at] = closeBrace
  return new JsonText(bytes, isAscii)
}

/** A field that is an expression, behind a comma; nothing where it is Undefined. */
interface Printed {
  readonly value: Value
  readonly text: string
  readonly bytes: Uint8Array
  readonly isAscii: boolean
}

/** Into a list. What only the topic decides is printed once per topic, and a value that comes again, such as the time, not again. */
function createPrinter(fields: readonly Field[]): (scope: Scope, row: Value, into: Printed[]) => void {
  const latest = fields.map(() => unprinted)
  const fixed = perTopic((scope) =>
    fields.map(({ isFixed, key, evaluate }) => (isFixed ? toPrinted(key, evaluate(scope, undefined)) : unprinted)),
  )
  return (scope, row, into) => {
    const known = fixed(scope)
    for (let i = 0; i < fields.length; i++) {
      const { isFixed, key, evaluate } = fields[i]!
      if (isFixed) into[i] = known[i]!
      else {
        const value = evaluate(scope, row)
        if (value !== latest[i]!.value) latest[i] = toPrinted(key, value)
        into[i] = latest[i]!
      }
    }
  }
}

function toPrinted(key: string, value: Value): Printed {
  const json = JSON.stringify(value)
  const text = json === undefined ? '' : `,${key}:${json}`
  const bytes = Buffer.from(text)
  return { value, text, bytes, isAscii: bytes.length === text.length }
}

const unprinted: Printed = { value: undefined, text: '', bytes: Buffer.alloc(0), isAscii: true }

const emptyObject = Buffer.from('{}')
const emptyRow: Record<string, Value> = Object.freeze({})
const nothing: Scannable = { bytes: Buffer.alloc(0), isAscii: true }

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
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const openBrace = 0x7b
const closeBrace = 0x7d

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

/** Of ASCII every part is cut from one text, and positions are the same. */
interface Source {
  readonly bytes: Buffer
  readonly text: string | undefined
}

function sourceOf({ bytes, isAscii }: Scannable): Source {
  return { bytes, text: isAscii ? bytes.toString('latin1') : undefined }
}

function sliceOf({ bytes, text }: Source, start: number, end: number): string {
  return text === undefined ? bytes.toString('utf8', start, end) : text.slice(start, end)
}

/** As JSON.stringify has it. */
function textAt(source: Source, start: number, end: number): string {
  const { bytes } = source
  return isVerbatim(bytes, start, end) ? sliceOf(source, start, end) : JSON.stringify(valueAt(bytes, start, end))
}

/** Without spaces between its members; what its first and last byte are does not matter. */
function objectOf(scannable: Scannable, members: Members): Uint8Array {
  const { count, keyStarts, keyEnds, starts, ends } = members
  if (count === 0) return emptyObject
  const { bytes } = scannable
  if (isPlain(bytes, members)) {
    const isWhole = keyStarts[0] === 1 && ends[count - 1] === bytes.length - 1
    return isWhole ? bytes : bytes.subarray(keyStarts[0]! - 1, ends[count - 1]! + 1)
  }
  const source = sourceOf(scannable)
  let text = ''
  for (let i = 0; i < count; i++) {
    text += `${i === 0 ? '' : ','}${sliceOf(source, keyStarts[i]!, keyEnds[i]!)}:${textAt(source, starts[i]!, ends[i]!)}`
  }
  return Buffer.from(`{${text}}`)
}

/** No space between the members, and none that JSON.stringify would write otherwise: most devices send nothing else. */
function isPlain(bytes: Buffer, { count, keyStarts, keyEnds, starts, ends }: Members): boolean {
  for (let i = 0; i < count; i++) {
    if (starts[i] !== keyEnds[i]! + 1 || (i > 0 && keyStarts[i] !== ends[i - 1]! + 1)) return false
    if (!isVerbatim(bytes, starts[i]!, ends[i]!)) return false
  }
  return true
}

/** Words, strings without escapes, and numbers in their shortest form: no `-0`, no last zero behind the dot, nothing below 1e-6. */
function isVerbatim(bytes: Buffer, start: number, end: number): boolean {
  const first = bytes[start]!
  if (first === 0x7b || first === 0x5b) return false
  if (!isNumber(first)) return true
  const lead = first === minus ? start + 1 : start
  if (bytes[lead] !== zero) return bytes[end - 1] !== zero || !hasDot(bytes, start, end)
  return bytes[end - 1] !== zero ? Math.abs(numberAt(bytes, start, end)) >= 1e-6 : lead === start && end - start === 1
}

function hasDot(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === dot) return true
  return false
}
