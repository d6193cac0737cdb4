// Tree to closures: names, functions and arity are looked up once, when the rule is loaded, and never again.
import type { Binary, Call, Case, Cast, Expression, Name, Query, Variable } from './ast.ts'
import { hint, refuse } from './errors.ts'
import type { CompileContext, Evaluate } from './evaluate.ts'
import { type CastRow, type CastType, castTo, castTypes } from './functions/cast.ts'
import { findFunction, functionNames } from './functions/index.ts'
import type { Site, SqlFunction } from './functions/table.ts'
import { Exact, type NumberMode, negate, numberOf } from './number.ts'
import { calculate, not, operators } from './operators.ts'
import { externalNames } from './resolvers.ts'
import type { Scope } from './scope.ts'
import { compileSelect } from './select.ts'
import { assign, equals, isArray, isNumeric, isObject, type Members, member, type Value } from './value.ts'
import { spend } from './work.ts'

export function compileExpression(node: Expression, context: CompileContext): Evaluate {
  const evaluate = compileNode(node, context)
  const { trace } = context
  if (trace === undefined) return evaluate
  return (scope, row) => {
    const value = evaluate(scope, row)
    trace(node, value)
    return value
  }
}

function compileNode(node: Expression, context: CompileContext): Evaluate {
  const compile = (part: Expression) => compileExpression(part, context)
  switch (node.kind) {
    case 'literal': {
      const value = node.number === undefined ? node.value : numberOf(node.number, context.mode)
      return () => value
    }
    case 'star':
      return (_scope, row) => row
    case 'name':
      return compileName(node, context)
    case 'variable':
      return compileVariable(node, context)
    case 'member': {
      const object = compile(node.object)
      const { name } = node
      return (scope, row) => member(object(scope, row), name)
    }
    case 'unary': {
      const operand = compile(node.operand)
      if (node.operator === 'NOT') return (scope, row) => not(operand(scope, row))
      return (scope, row) => minus(operand(scope, row), context.mode)
    }
    case 'binary':
      return compileBinary(node, context)
    case 'case':
      return compileCase(node, context)
    case 'array': {
      since2016('an array literal', node, context)
      const items = node.items.map(compile)
      return (scope, row) => items.map((item) => item(scope, row))
    }
    case 'object': {
      since2016('an object literal', node, context)
      const members = node.members.map(({ key, value }) => ({ key, value: compile(value) }))
      return (scope, row) => {
        const result: Record<string, Value> = {}
        for (const { key, value } of members) assign(result, key, value(scope, row))
        return result
      }
    }
    case 'query':
      return compileQuery(node, context)
    case 'exists': {
      const rows = compileQuery(node, context)
      return (scope, row) => {
        const found = rows(scope, row)
        return isArray(found) ? found.length > 0 : found !== undefined
      }
    }
    case 'cast':
      return compileCast(node, context)
    case 'call':
      return compileCall(node, context)
    default:
      return node satisfies never
  }
}

/** Refuses what the rule's version of the language does not have (U-4). */
function since2016(what: string, node: Expression, { sql, version }: CompileContext): void {
  if (version === '2015-10-08') refuse(sql, node.pos, `${what} needs awsIotSqlVersion 2016-03-23; this rule has 2015-10-08`)
}

/** Names that objects, arrays or numbers have of themselves: a key of that name must be looked for, any other may just be read. */
const inherited: ReadonlySet<string> = new Set([
  ...[Object.prototype, Array.prototype, Exact.prototype].flatMap((prototype) => Object.getOwnPropertyNames(prototype)),
  ...(['decimal', 'int'] satisfies (keyof Exact)[]),
])

function compileName({ name }: Name, { nested }: CompileContext): Evaluate {
  if (nested?.alias === name) return (_scope, row) => row
  if (inherited.has(name)) return (_scope, row) => member(row, name)
  return (_scope, row) => (typeof row === 'object' && row !== null ? (row as Members)[name] : undefined)
}

function compileVariable({ name, pos }: Variable, { sql, variables, nested }: CompileContext): Evaluate {
  const known = [...variables.keys()].map((key) => `@${key}`)
  const evaluate =
    variables.get(name) ?? refuse(sql, pos, `@${name} is not set before it is used.${hint(`@${name}`, known)}`.replace(/\.$/, ''))
  if (nested === undefined) return evaluate
  // A long text that every row reads again is work in proportion to both.
  return (scope, row) => {
    const value = evaluate(scope, row)
    if (typeof value === 'string') spend(value.length / charactersOfStep)
    return value
  }
}

function minus(value: Value, mode: NumberMode): Value {
  return isNumeric(value) ? negate(value) : calculate('-', 0, value, mode)
}

function compileBinary({ operator, left, right }: Binary, context: CompileContext): Evaluate {
  const a = compileExpression(left, context)
  const b = compileExpression(right, context)
  const { mode } = context
  const apply = operators[operator]
  // The two shapes of nearly every WHERE, without a conversion: a double against a double.
  if (operator === '>' || operator === '<') {
    const greater = operator === '>'
    return (scope, row) => {
      const x = a(scope, row)
      const y = b(scope, row)
      return typeof x === 'number' && typeof y === 'number' ? (greater ? x > y : x < y) : apply(x, y, mode)
    }
  }
  return (scope, row) => apply(a(scope, row), b(scope, row), mode)
}

/** An Undefined subject skips ELSE too; the first equal WHEN wins [AWS iot-sql-case]. */
function compileCase(node: Case, context: CompileContext): Evaluate {
  const subject = compileExpression(node.subject, context)
  const branches = node.branches.map(({ when, result }) => {
    if (!isConstant(when)) context.warnings.push('AWS IoT takes only constants behind WHEN')
    return { when: compileExpression(when, context), result: compileExpression(result, context) }
  })
  const otherwise: Evaluate = node.otherwise ? compileExpression(node.otherwise, context) : () => undefined
  return (scope, row) => {
    const value = subject(scope, row)
    if (value === undefined) return undefined
    const branch = branches.find(({ when }) => equals(value, when(scope, row)) === true)
    return (branch?.result ?? otherwise)(scope, row)
  }
}

function isConstant(node: Expression): boolean {
  return node.kind === 'literal' || (node.kind === 'unary' && isConstant(node.operand))
}

const stepsOfRow = 10
/** A string is read by most functions from end to end. */
const charactersOfStep = 16

/** Rows of an array, or the one object that an object gives; outer names are not visible inside (U-22, U-24). */
function compileQuery(node: Query, context: CompileContext): Evaluate {
  since2016('a nested SELECT', node, context)
  const source = compileExpression(node.source, context)
  const nested = node.alias === undefined ? {} : { alias: node.alias }
  const { where, project } = compileSelect(node.select, { ...context, nested }, compileExpression)
  const holds = (scope: Scope, row: Value) => where === undefined || where(scope, row) === true
  return (scope, row) => {
    const from = source(scope, row)
    if (isObject(from)) return holds(scope, from) ? project(scope, from) : undefined
    if (!isArray(from)) return undefined
    const rows: Value[] = []
    for (const element of from) {
      spend(stepsOfRow)
      const value = holds(scope, element) ? project(scope, element) : undefined
      if (value !== undefined) rows.push(value)
    }
    return rows
  }
}

function compileCast({ operand, type, pos }: Cast, context: CompileContext): Evaluate {
  const name = type.toLowerCase()
  if (!Object.hasOwn(castTypes, name)) {
    refuse(
      context.sql,
      pos,
      `cast knows no type ${type}; it has ${Object.keys(castTypes).join(', ')}.${hint(type, Object.keys(castTypes))}`.replace(/\.$/, ''),
    )
  }
  const { to, since }: CastRow = castTypes[name as CastType]
  if (since !== undefined) since2016(`cast as ${type}`, operand, context)
  const value = compileExpression(operand, context)
  return (scope, row) => castTo(to, value(scope, row), context.mode)
}

function compileCall(node: Call, context: CompileContext): Evaluate {
  const { sql } = context
  const name = node.name.toLowerCase()
  const found = findFunction(name, context.resolvers)
  if (found === undefined) {
    if (externalNames.has(name)) refuse(sql, node.pos, `${node.name} calls another service, and no resolver for it is configured here`)
    refuse(sql, node.pos, `function ${node.name} does not exist.${hint(node.name, functionNames)}`.replace(/\.$/, ''))
  }
  if (found.since !== undefined) since2016(`the function ${node.name}`, node, context)
  const reason = found.check?.(node.args)
  if (reason !== undefined) refuse(sql, node.pos, `${node.name}: ${reason}`)
  countCalls(name, found, node, context)
  const [fewest, most] = found.arity
  if (node.args.length < fewest || node.args.length > most) {
    const number = fewest === most ? String(fewest) : `${fewest} to ${most}`
    context.warnings.push(`${node.name} takes ${number} ${number === '1' ? 'argument' : 'arguments'}, so this call is always Undefined`)
    return () => undefined
  }
  return invoke(node, found, context)
}

function countCalls(name: string, { perStatement }: SqlFunction, node: Call, { sql, counts }: CompileContext): void {
  const count = (counts.get(name) ?? 0) + 1
  counts.set(name, count)
  if (perStatement !== undefined && count > perStatement)
    refuse(sql, node.pos, `a statement calls ${node.name} at most ${perStatement === 1 ? 'once' : `${perStatement} times`}`)
}

const noArgs: readonly Value[] = []

function invoke(node: Call, found: SqlFunction, context: CompileContext): Evaluate {
  const { sql, version, mode, nested } = context
  const starred = node.args.find(({ kind }) => kind === 'star')
  if (starred && !found.star) refuse(sql, starred.pos, `${node.name} does not take *; name a key of the payload`)
  const site: Site = { sql, pos: node.pos, version, mode, args: node.args, raw: node.args[0]?.kind === 'star' && nested === undefined }
  const args = node.args.map((arg) => compileExpression(arg, context))
  if (found.lazy) {
    const { lazy } = found
    return (scope, row) =>
      lazy(
        args.map((arg) => () => arg(scope, row)),
        scope,
        site,
      )
  }
  if (args.length === 0) return (scope) => found.call(noArgs, scope, site)
  const [first, second] = args
  if (args.length === 1) return (scope, row) => found.call([first!(scope, row)], scope, site)
  if (args.length === 2) return (scope, row) => found.call([first!(scope, row), second!(scope, row)], scope, site)
  return (scope, row) =>
    found.call(
      args.map((arg) => arg(scope, row)),
      scope,
      site,
    )
}
