// The short way for statements that read a few top-level keys, or take all there are: the payload is scanned, never built, and fields go
// out as they came in.
import { Buffer, isAscii, isUtf8 } from 'node:buffer'
import { JsonText } from '../../../message/body.ts'
import type { StatementTree } from '../ast.ts'
import { isFixed, keysIn } from '../dependencies.ts'
import type { Evaluate } from '../evaluate.ts'
import { parseJson } from '../json.ts'
import type { Scope } from '../scope.ts'
import type { CompiledSelect } from '../select.ts'
import type { Value } from '../value.ts'
import { isLong, isNumber, isShortest, numberAt } from './decimal.ts'
import { scanPlain } from './fast-json.ts'
import { perTopic } from './per-topic.ts'
import { createMembers, indexOfMember, type Members, type Ranges, scan, scanMembers } from './scan.ts'

/** The same body as the general way, `null` where WHERE is not true, or undefined: the general way must decide. */
export type FastSelect = (scope: Scope) => JsonText | null | undefined

/** More keys than this are found faster by the parser. */
const maxKeys = 8

/** Undefined for statements that need the payload built: nested queries, variables, VALUE, dotted aliases, `*` anywhere but in front. */
export function compileFastSelect({ set, select: clause }: StatementTree, select: CompiledSelect): FastSelect | undefined {
  const [head] = select.items
  const all = head?.star === true && head.path === undefined
  const items = all ? select.items.slice(1) : select.items
  const paths = items.map(({ path }) => path)
  const outputs = paths.map((path) => path?.[0] ?? '')
  if (set.length > 0 || clause.value || paths.some((path) => path?.length !== 1) || new Set(outputs).size < outputs.length) return undefined
  const expressions = clause.items.slice(all ? 1 : 0).map(({ expression }) => expression)
  const computed = expressions.filter(({ kind }) => kind !== 'name')
  const keys = [...computed, ...(clause.where ? [clause.where] : [])].map(keysIn)
  if (keys.includes(undefined)) return undefined
  const evaluated = new Set(keys.flatMap((some) => some ?? []))
  const names = [...new Set([...evaluated, ...expressions.flatMap((node) => (node.kind === 'name' ? [node.name] : []))])]
  if (names.length > maxKeys || names.includes('__proto__')) return undefined
  const fields = expressions.map((node, i) => ({
    key: JSON.stringify(outputs[i]),
    slot: node.kind === 'name' ? names.indexOf(node.name) : -1,
    evaluate: items[i]!.evaluate,
    isFixed: isFixed(node),
  }))
  const plan = { names, evaluated: names.map((name) => evaluated.has(name)), fields, where: select.where }
  // An object has keys such as "7" in front of all others.
  if (all) return outputs.some((key) => /^\d/.test(key)) ? undefined : createSelectAll(plan)
  return createSelect(plan)
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

function createSelect({ names, evaluated, fields, where }: Plan): FastSelect {
  const ranges: Ranges = { starts: new Int32Array(names.length), ends: new Int32Array(names.length) }
  const wanted = names.map((name) => Buffer.from(name))
  const { starts, ends } = ranges
  // The others pass through: they are cut from the payload.
  const print = createPrinter(fields.map((field) => (field.slot === -1 ? field : { ...field, isFixed: true, evaluate: () => undefined })))
  const printed: Printed[] = []
  const passing = fields.filter(({ slot }) => slot !== -1).length
  return (scope) => {
    const bytes = names.length === 0 ? nothing : scope.scannable()
    if (bytes === undefined) return undefined
    const ascii = isAscii(bytes)
    if (names.length > 0 && !((ascii || isUtf8(bytes)) && scan(bytes, wanted, ranges))) return undefined
    const row: Record<string, Value> = {}
    for (let i = 0; i < names.length; i++) {
      if (starts[i] === -1) continue
      if (isLong(bytes, starts[i]!, ends[i]!)) return undefined
      if (evaluated[i]) row[names[i]!] = valueAt(bytes, starts[i]!, ends[i]!)
    }
    if (where !== undefined && where(scope, row) !== true) return null
    // For a few parts, one text of all is more than they are.
    const source = { bytes, text: ascii && passing > 2 ? bytes.toString('latin1') : undefined }
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
function createSelectAll({ names, fields, where }: Plan): FastSelect {
  const members = createMembers(maxMembers)
  const { starts, ends } = members
  const find = (bytes: Buffer, key: Buffer) => indexOfMember(bytes, members, key, 0, key.length)
  const wanted = names.map((name) => ({ name, key: Buffer.from(JSON.stringify(name)) }))
  const keys = fields.map(({ key }) => Buffer.from(key))
  const print = createPrinter(fields)
  const printed: Printed[] = []
  return (scope) => {
    const bytes = scope.scannable()
    if (bytes === undefined) return undefined
    const plain = scanPlain(bytes, members)
    const ascii = plain || isAscii(bytes)
    if (!plain && !((ascii || isUtf8(bytes)) && scanMembers(bytes, members) && !hasLong(bytes, members))) return undefined
    for (const key of keys) if (find(bytes, key) !== -1) return undefined
    const row: Record<string, Value> = wanted.length === 0 ? emptyRow : {}
    for (const { name, key } of wanted) {
      const i = find(bytes, key)
      if (i !== -1) row[name] = valueAt(bytes, starts[i]!, ends[i]!)
    }
    if (where !== undefined && where(scope, row) !== true) return null
    print(scope, row, printed)
    return withFields(plain ? bytes : objectOf(bytes, ascii, members), ascii, printed)
  }
}

/** The object and, behind its members, the fields, which begin with a comma each. */
function withFields(object: Uint8Array, isAscii: boolean, fields: readonly Printed[]): JsonText {
  const tail: Uint8Array[] = []
  for (const field of fields) {
    if (field.bytes.length === 0) continue
    tail.push(tail.length === 0 && object === emptyObject ? field.bytes.subarray(1) : field.bytes)
    isAscii &&= field.isAscii
  }
  if (tail.length === 0) return new JsonText(object, object.length, tail, isAscii)
  tail.push(closeBrace)
  return new JsonText(object, object.length - 1, tail, isAscii)
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
const closeBrace = Buffer.from('}')
const emptyRow: Record<string, Value> = Object.freeze({})
const nothing = Buffer.alloc(0)

const quote = 0x22
const openBracket = 0x5b
const openBrace = 0x7b

function valueAt(bytes: Buffer, start: number, end: number): Value {
  const first = bytes[start]!
  if (first === quote) return bytes.toString('utf8', start + 1, end - 1)
  return isNumber(first) ? numberAt(bytes, start, end) : parseJson(bytes.toString('utf8', start, end))
}

/** Of ASCII every part is cut from one text, and positions are the same. */
interface Source {
  readonly bytes: Buffer
  readonly text: string | undefined
}

function sliceOf({ bytes, text }: Source, start: number, end: number): string {
  return text === undefined ? bytes.toString('utf8', start, end) : text.slice(start, end)
}

/** As JSON.stringify has it. */
function textAt(source: Source, start: number, end: number): string {
  const { bytes } = source
  return isVerbatim(bytes, start, end) ? sliceOf(source, start, end) : JSON.stringify(valueAt(bytes, start, end))
}

/** Of these, numbers the general way must look at. */
function hasLong(bytes: Buffer, { count, starts, ends }: Members): boolean {
  for (let i = 0; i < count; i++) if (isLong(bytes, starts[i]!, ends[i]!)) return true
  return false
}

/** As JSON.stringify has it. */
function objectOf(bytes: Buffer, ascii: boolean, { count, keyStarts, keyEnds, starts, ends }: Members): Buffer {
  if (count === 0) return emptyObject
  const source = { bytes, text: ascii ? bytes.toString('latin1') : undefined }
  let text = ''
  for (let i = 0; i < count; i++) {
    text += `${i === 0 ? '' : ','}${sliceOf(source, keyStarts[i]!, keyEnds[i]!)}:${textAt(source, starts[i]!, ends[i]!)}`
  }
  return Buffer.from(`{${text}}`)
}

/** Words, strings without escapes, and numbers in their shortest form. */
function isVerbatim(bytes: Buffer, start: number, end: number): boolean {
  const first = bytes[start]!
  if (first === openBrace || first === openBracket) return false
  return !isNumber(first) || isShortest(bytes, start, end)
}
