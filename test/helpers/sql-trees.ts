// Random statements as trees, for properties that hold for every statement.
import fc from 'fast-check'
import type { Expression, Item, Query, Select, StatementTree } from '../../gateway/rules/sql/ast.ts'
import { functionNames } from '../../gateway/rules/sql/functions/index.ts'
import { numberOf } from '../../gateway/rules/sql/number.ts'
import { externalNames } from '../../gateway/rules/sql/resolvers.ts'

const pos = 0
const name = fc.constantFrom('a', 'b', 'c', 'temperature', 'list', 'nested', 'value', 'constructor', '__proto__')
// No string can end in a backslash: before a closing quote it would be an escape.
const text = fc
  .oneof(fc.string({ maxLength: 6 }), fc.constantFrom("it's", `a"b`, "\\'", '5', '-1.50', 'true', 'é€😀', 'yyyy-MM-dd', 'base64', '(a|b)+'))
  .filter((value) => !value.endsWith('\\'))
const number = fc.oneof(
  fc.nat().map(String),
  fc.constantFrom('0.1', '10.0', '12345678901234567890', '1E3', '2.5e-7', '0.30000000000000004', '1E999', '9007199254740993'),
)
const functions = functionNames.filter((key) => !externalNames.has(key) && key !== 'cast')
const types = ['String', 'Int', 'Decimal', 'Boolean', 'Double', 'Bool'] as const
const operators = ['OR', 'AND', '=', '<>', '<', '<=', '>', '>=', 'IN', '+', '-', '*', '/', '%'] as const

const literal: fc.Arbitrary<Expression> = fc.oneof(
  text.map((value): Expression => ({ kind: 'literal', pos, value })),
  number.map((digits): Expression => ({ kind: 'literal', pos, value: numberOf(digits), number: digits })),
  fc.constantFrom(true, false, null).map((value): Expression => ({ kind: 'literal', pos, value })),
)

interface Trees {
  expression: Expression
  select: Select
  query: Expression
}

const trees = fc.letrec<Trees>((tie: fc.LetrecTypedTie<Trees>) => {
  const expression: fc.Arbitrary<Expression> = tie('expression')
  const item: fc.Arbitrary<Item> = fc
    .tuple(expression, fc.array(name, { minLength: 1, maxLength: 2 }))
    .map(([part, alias]) => ({ pos, expression: part, alias }))
  const star: fc.Arbitrary<Item> = fc.constant({ pos, expression: { kind: 'star', pos } })
  const where: fc.Arbitrary<Expression | undefined> = fc.option(expression, { nil: undefined })
  return {
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      literal,
      name.map((key): Expression => ({ kind: 'name', pos, name: key })),
      fc.tuple(expression, name).map(([object, key]): Expression => ({ kind: 'member', pos, object, name: key })),
      fc
        .tuple(fc.constantFrom(...functions), fc.array(expression, { maxLength: 3 }))
        .map(([key, args]): Expression => ({ kind: 'call', pos, name: key, args })),
      fc.tuple(expression, fc.constantFrom(...types)).map(([operand, type]): Expression => ({ kind: 'cast', pos, operand, type })),
      fc
        .tuple(fc.constantFrom('NOT', '-'), expression)
        .map(([operator, operand]): Expression => ({ kind: 'unary', pos, operator, operand })),
      fc
        .tuple(fc.constantFrom(...operators), expression, expression)
        .map(([operator, left, right]): Expression => ({ kind: 'binary', pos, operator, left, right })),
      fc.tuple(expression, literal, expression, fc.option(expression, { nil: undefined })).map(
        ([subject, when, result, otherwise]): Expression => ({
          kind: 'case',
          pos,
          subject,
          branches: [{ when, result }],
          ...(otherwise && { otherwise }),
        }),
      ),
      fc.array(expression, { maxLength: 3 }).map((items): Expression => ({ kind: 'array', pos, items })),
      fc
        .array(fc.tuple(text, expression), { maxLength: 3 })
        .map((members): Expression => ({ kind: 'object', pos, members: members.map(([key, value]) => ({ key, value })) })),
      tie('query'),
    ),
    select: fc.oneof(
      fc.tuple(fc.array(fc.oneof(item, star), { minLength: 1, maxLength: 3 }), where).map(([items, condition]) => ({
        value: false,
        items,
        ...(condition && { where: condition }),
      })),
      fc.tuple(item, where).map(([one, condition]) => ({ value: true, items: [one], ...(condition && { where: condition }) })),
    ),
    query: fc
      .tuple(tie('select'), expression, fc.constantFrom('query', 'exists'), fc.option(name, { nil: undefined }))
      .map(([select, source, kind, alias]): Query => ({ kind, pos, select, source, ...(alias !== undefined && { alias }) }) as Query),
  }
})

export const expressionTree: fc.Arbitrary<Expression> = trees.expression

export const statementTree: fc.Arbitrary<StatementTree> = fc
  .tuple(
    fc.uniqueArray(fc.constantFrom('x', 'y', 'z_1'), { maxLength: 2 }),
    fc.array(trees.expression, { minLength: 2, maxLength: 2 }),
    trees.select,
  )
  .map(([names, values, select]) => ({
    set: names.map((variable, i) => ({ pos, name: variable, expression: values[i]! })),
    select,
    filter: { text: 'a/+/c', pos },
  }))

/** The same tree with every place at 0. */
export function withoutPlaces<T>(node: T): T {
  if (Array.isArray(node)) return node.map(withoutPlaces) as T
  if (typeof node !== 'object' || node === null || Object.getPrototypeOf(node) !== Object.prototype) return node
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, key === 'pos' ? 0 : withoutPlaces(value)])) as T
}
