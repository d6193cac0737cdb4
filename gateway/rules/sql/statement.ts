// A statement ready to run: compiled once when its rule is loaded, then evaluated on every message its filter matches.
import { GatewayError } from '../../errors.ts'
import { type Body, bytesOf, JsonText, lengthOf } from '../../message/body.ts'
import { validateFilter } from '../topic/filter.ts'
import { type Expression, type SqlVersion, type StatementTree, sqlVersions } from './ast.ts'
import { compileExpression } from './compile.ts'
import { refuse } from './errors.ts'
import type { CompileContext, Evaluate } from './evaluate.ts'
import { compileFastSelect, type FastSelect } from './fast/fast-select.ts'
import { wholeAsDecimal, wholeAsInt } from './number.ts'
import { parseStatement } from './parse.ts'
import type { Resolvers } from './resolvers.ts'
import type { Scope } from './scope.ts'
import { compileSelect, type OutputItem } from './select.ts'
import type { Value } from './value.ts'
import { beginWork } from './work.ts'

export interface StatementOptions {
  /** 2016-03-23 when absent. A rule file without `awsIotSqlVersion` means 2015-10-08, and says so here. */
  readonly version?: SqlVersion
  /** What answers external functions; a statement that calls one without an answer is refused. */
  readonly resolvers?: Resolvers
  /** Sees every part's value as it is computed; for explaining. */
  readonly trace?: (node: Expression, value: Value) => void
  /** false: evaluate the statement, and the templates of its rule, without the fast paths of fast/. Default: true. */
  readonly fastPaths?: boolean
}

export interface Statement {
  readonly sql: string
  readonly version: SqlVersion
  readonly tree: StatementTree
  /** The topic filter of FROM; undefined in a statement for Basic Ingest only. */
  readonly filter: string | undefined
  /** What AWS would take differently, or the author surely did not mean, one sentence each. */
  readonly warnings: readonly string[]
  /** SET variables, for the templates of the same rule. */
  readonly variables: ReadonlyMap<string, Evaluate>
  /** false: without the fast paths, for the templates of the same rule. */
  readonly fastPaths: boolean
  /**
   * The outgoing payload: JSON, or the message's own bytes where the statement passes them through; no bytes for SELECT VALUE of
   * Undefined. Undefined when WHERE is not true. Throws RULE_FAILED only where a resolver fails.
   */
  evaluate(scope: Scope): Body | undefined
  /** The same, slower and in parts: for tools. */
  inspect(scope: Scope): Inspection
}

export interface Inspection {
  readonly matched: boolean
  readonly body?: Uint8Array
  /** The body is the message's own bytes, which are not JSON. */
  readonly raw: boolean
  /** The keys of items that are Undefined. */
  readonly undefinedKeys: readonly string[]
  /** The value of the outermost item by its key, before it becomes JSON. */
  readonly values: Readonly<Record<string, Value>>
}

export const filterTooDeep = 'topics in AWS IoT Core have at most 7 slashes, so this FROM never matches there'

/** Throws SQL_INVALID: one sentence with line and column, what was expected, and the likely spelling. */
export function compileStatement(sql: string, options: StatementOptions = {}): Statement {
  const version = options.version ?? '2016-03-23'
  if (!sqlVersions.includes(version))
    throw new GatewayError('SQL_INVALID', `SQL version ${version} does not exist; AWS has ${sqlVersions.join(', ')}`)
  const tree = parseStatement(sql)
  if (tree.filter) {
    const reason = validateFilter(tree.filter.text)
    if (reason !== undefined) refuse(sql, tree.filter.pos, reason)
  }
  const warnings: string[] = []
  if (tree.filter && tree.filter.text.split('/').length > 8) warnings.push(filterTooDeep)
  const context = createContext(sql, version, options, warnings)
  const variables = compileVariables(tree, context)
  const select = compileSelect(tree.select, { ...context, variables }, compileExpression)
  const payloadOf = payloadReader(version)
  const run = { ...select, value: tree.select.value, payloadOf }
  const { fastPaths = true } = options
  const isFast = fastPaths && options.trace === undefined && version !== '2015-10-08'
  const fast = isFast ? compileFastSelect(tree, select) : undefined
  return {
    sql,
    version,
    tree,
    filter: tree.filter?.text,
    warnings,
    variables,
    fastPaths,
    evaluate: fast === undefined ? (scope) => evaluate(run, scope) : (scope) => evaluateFast(fast, run, scope),
    inspect: (scope) => inspect(run, scope),
  }
}

export function createContext(
  sql: string,
  version: SqlVersion,
  { resolvers = {}, trace }: StatementOptions,
  warnings: string[],
): CompileContext {
  const mode = version === '2015-10-08' ? wholeAsDecimal : wholeAsInt
  return { sql, version, mode, resolvers, variables: new Map(), warnings, counts: new Map(), ...(trace && { trace }) }
}

/** What the names of an outer statement are looked up in. */
export function payloadReader(version: SqlVersion): (scope: Scope) => Value {
  return version === '2015-10-08' ? (scope) => scope.oldPayload : (scope) => scope.payload
}

/** Each value is limited as in AWS, and so are all together: 128 KiB of JSON. */
const maxVariableBytes = 128 * 1024

/** Evaluated once per message, when first read, by whichever of statement and templates comes first. */
function compileVariables(tree: StatementTree, context: CompileContext): ReadonlyMap<string, Evaluate> {
  const variables = new Map<string, Evaluate>()
  const payloadOf = payloadReader(context.version)
  for (const { name, expression } of tree.set) {
    const evaluate = compileExpression(expression, { ...context, variables: new Map(variables) })
    variables.set(name, (scope) => scope.remember(evaluate, () => limited(evaluate(scope, payloadOf(scope)))))
  }
  return variables
}

function limited(value: Value): Value {
  if (typeof value !== 'string' && (typeof value !== 'object' || value === null)) return value
  return Buffer.byteLength(JSON.stringify(value)) > maxVariableBytes ? undefined : value
}

interface Run {
  readonly where: Evaluate | undefined
  readonly items: readonly OutputItem[]
  readonly print: (scope: Scope, row: Value) => string | undefined
  readonly value: boolean
  readonly payloadOf: (scope: Scope) => Value
}

const nothing = new Uint8Array(0)

function evaluate(run: Run, scope: Scope): Body | undefined {
  beginWork()
  const payload = run.payloadOf(scope)
  if (run.where !== undefined && run.where(scope, payload) !== true) return undefined
  return bodyOf(run, scope, run.print(scope, payload))
}

function evaluateFast(fast: FastSelect, run: Run, scope: Scope): Body | undefined {
  beginWork()
  const body = fast(scope)
  if (body) checkLength(lengthOf(body), scope)
  return body === undefined ? evaluate(run, scope) : (body ?? undefined)
}

/** SQS and SNS take 1 MiB. A rule that passes on a larger payload may do so. */
export const maxOutputLength = 1024 * 1024

function checkLength(length: number, { message }: Scope): void {
  if (length <= maxOutputLength || length <= 2 * message.payload.length) return
  throw new GatewayError(
    'RULE_FAILED',
    `the output is too long: ${length} characters; a rule may make ${maxOutputLength}, or twice the payload`,
  )
}

function bodyOf({ items, value, payloadOf }: Run, scope: Scope, text: string | undefined): Body {
  if (text !== undefined) {
    checkLength(text.length, scope)
    return JsonText.of(text)
  }
  const passesAll = items.length === 1 && (items[0]!.path === undefined || value) && items[0]!.star
  return passesAll && payloadOf(scope) === undefined ? scope.message.payload : nothing
}

function inspect(run: Run, scope: Scope): Inspection {
  beginWork()
  const payload = run.payloadOf(scope)
  if (run.where !== undefined && run.where(scope, payload) !== true) return { matched: false, raw: false, undefinedKeys: [], values: {} }
  const values: Record<string, Value> = {}
  const undefinedKeys: string[] = []
  for (const { path, evaluate: part } of run.items) {
    const key = path?.join('.')
    if (key === undefined || run.value) continue
    values[key] = part(scope, payload)
    if (values[key] === undefined) undefinedKeys.push(key)
  }
  const text = run.print(scope, payload)
  const body = bytesOf(bodyOf(run, scope, text))
  return { matched: true, body, raw: text === undefined && body.length > 0, undefinedKeys, values }
}
