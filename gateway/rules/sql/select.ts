// The SELECT clause: which keys the output has, and what stands behind them.
import type { Expression, Item, Select } from './ast.ts'
import { refuse } from './errors.ts'
import type { Compile, CompileContext, Evaluate } from './evaluate.ts'
import type { Scope } from './scope.ts'
import { assign, isObject, type Value } from './value.ts'
import { spend } from './work.ts'

export interface OutputItem {
  /** Undefined for a bare `*`, which brings its own keys. */
  readonly path: readonly string[] | undefined
  /** The item is `*`, with or without a name. */
  readonly star: boolean
  readonly evaluate: Evaluate
}

export interface CompiledSelect {
  readonly where: Evaluate | undefined
  readonly items: readonly OutputItem[]
  /** The one value of SELECT VALUE, a bare `*` as it is, or an object of the items. */
  readonly project: Evaluate
  /** The same as JSON text; undefined for Undefined. */
  readonly print: (scope: Scope, row: Value) => string | undefined
}

/** `compile` compiles one expression: a query inside an expression compiles its own SELECT. */
export function compileSelect({ value, items: list, where }: Select, context: CompileContext, compile: Compile): CompiledSelect {
  const items = list.map((item) => ({
    path: value ? [] : pathOf(item, context),
    star: item.expression.kind === 'star',
    evaluate: compile(item.expression, context),
  }))
  const alone = items.length === 1 && (value || items[0]!.path === undefined)
  const project: Evaluate = alone ? items[0]!.evaluate : (scope, row) => build(items, (item) => item.evaluate(scope, row))
  return {
    where: where && compile(where, context),
    items,
    project,
    print: compileFlat(items) ?? ((scope, row) => JSON.stringify(project(scope, row))),
  }
}

const charactersToCount = 128 * 1024
const charactersOfStep = 8

/** Most statements give one flat object of distinct keys: its text is put together without the object. */
function compileFlat(items: readonly OutputItem[]): CompiledSelect['print'] | undefined {
  const keys = items.map(({ path }) => (path?.length === 1 ? path[0] : undefined))
  if (keys.includes(undefined) || new Set(keys).size < keys.length) return undefined
  const fields = items.map(({ evaluate }, i) => ({ prefix: `${JSON.stringify(keys[i])}:`, evaluate }))
  return (scope, row) => {
    let text = ''
    for (const { prefix, evaluate } of fields) {
      const value = evaluate(scope, row)
      // A text is at most 1 MiB, so many of them stop here before they are put together.
      if (text.length > charactersToCount) spend(text.length / charactersOfStep)
      if (value !== undefined)
        text += (text === '' ? '{' : ',') + prefix + (typeof value === 'number' ? String(value) : JSON.stringify(value))
    }
    return text === '' ? '{}' : `${text}}`
  }
}

/** Later items win over earlier ones of the same key; an Undefined one changes nothing (U-11). */
function build(items: readonly OutputItem[], itemValue: (item: OutputItem) => Value): Value {
  const output: Record<string, Value> = {}
  for (const item of items) {
    const value = itemValue(item)
    if (value === undefined) continue
    if (item.path !== undefined) place(output, item.path, value)
    else if (isObject(value)) for (const key of Object.keys(value)) assign(output, key, value[key])
  }
  return output
}

/** `AS a.b`: objects on the way are copied, as they may belong to the payload. */
function place(output: Record<string, Value>, path: readonly string[], value: Value): void {
  let target = output
  for (const key of path.slice(0, -1)) {
    const known = Object.hasOwn(target, key) ? target[key] : undefined
    const next: Record<string, Value> = isObject(known) ? { ...known } : {}
    assign(target, key, next)
    target = next
  }
  assign(target, path[path.length - 1]!, value)
}

/** Without AS: the last name of a path, or the name of the function (U-10). */
function pathOf({ alias, expression, pos }: Item, { sql }: CompileContext): readonly string[] | undefined {
  if (alias !== undefined) return alias
  if (expression.kind === 'star') return undefined
  return [keyOf(expression) ?? refuse(sql, pos, 'this expression has no name of its own; give it one with AS')]
}

function keyOf(expression: Expression): string | undefined {
  switch (expression.kind) {
    case 'name':
    case 'variable':
    case 'member':
    case 'call':
      return expression.name
    case 'cast':
      return 'cast'
    default:
      return undefined
  }
}
