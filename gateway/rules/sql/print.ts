// A tree back to text: one line, upper-case keywords, and only the parentheses that the precedence needs.
import type { Expression, Item, Query, Select, StatementTree } from './ast.ts'
import { numberText } from './number.ts'
import { notPrecedence, precedence } from './parse.ts'
import { isNumeric } from './value.ts'

export function printStatement({ set, select, filter }: StatementTree): string {
  const variables = set.map(({ name, expression }) => `@${name} = ${printExpression(expression)}`)
  const prefix = variables.length === 0 ? '' : `SET ${variables.join(', ')} `
  return prefix + printSelect(select, filter && quote(filter.text))
}

function printSelect({ value, items, where }: Select, from: string | undefined): string {
  const list = items.map(printItem).join(', ')
  // Behind VALUE, a minus would make a subtraction from a key of that name.
  const parts = [value ? `SELECT VALUE ${list.startsWith('-') ? printValue(items[0]!) : list}` : `SELECT ${list}`]
  if (from !== undefined) parts.push(`FROM ${from}`)
  if (where !== undefined) parts.push(`WHERE ${printExpression(where)}`)
  return parts.join(' ')
}

function printValue({ expression, alias }: Item): string {
  return `(${printExpression(expression)})${aliasOf(alias)}`
}

function printItem({ expression, alias }: Item): string {
  return printExpression(expression) + aliasOf(alias)
}

function aliasOf(alias: readonly string[] | undefined): string {
  return alias === undefined ? '' : ` AS ${alias.join('.')}`
}

const unaryPrecedence = 7
const postfixPrecedence = 8

/** `least` is the precedence its surroundings need: a looser expression stands in parentheses. */
export function printExpression(node: Expression, least = 0): string {
  const text = print(node)
  return precedenceOf(node) < least ? `(${text})` : text
}

function precedenceOf(node: Expression): number {
  if (node.kind === 'binary') return precedence[node.operator]
  if (node.kind !== 'unary') return postfixPrecedence + 1
  return node.operator === 'NOT' ? notPrecedence : unaryPrecedence
}

function print(node: Expression): string {
  switch (node.kind) {
    case 'literal':
      return printLiteral(node)
    case 'star':
      return '*'
    case 'name':
      return node.name
    case 'variable':
      return `@${node.name}`
    case 'member':
      return `${printExpression(node.object, postfixPrecedence)}.${node.name}`
    case 'call':
      return `${node.name}(${node.args.map((arg) => printExpression(arg)).join(', ')})`
    case 'cast':
      return `CAST(${printExpression(node.operand)} AS ${node.type})`
    case 'unary':
      // `--` would start a comment, so a minus behind a minus stands in parentheses.
      return node.operator === 'NOT'
        ? `NOT ${printExpression(node.operand, notPrecedence)}`
        : `-${printExpression(node.operand, postfixPrecedence)}`
    case 'binary': {
      const own = precedence[node.operator]
      return `${printExpression(node.left, own)} ${node.operator} ${printExpression(node.right, own + 1)}`
    }
    case 'case': {
      const branches = node.branches.map(({ when, result }) => `WHEN ${printExpression(when)} THEN ${printExpression(result)}`)
      const otherwise = node.otherwise === undefined ? '' : ` ELSE ${printExpression(node.otherwise)}`
      return `CASE ${printExpression(node.subject)} ${branches.join(' ')}${otherwise} END`
    }
    case 'array':
      return `[${node.items.map((item) => printExpression(item)).join(', ')}]`
    case 'object':
      return `{${node.members.map(({ key, value }) => `${quote(key)}: ${printExpression(value)}`).join(', ')}}`
    case 'query':
      return printQuery(node)
    case 'exists':
      return `EXISTS ${printQuery(node)}`
    default:
      return node satisfies never
  }
}

function printQuery({ select, source, alias }: Query): string {
  return `(${printSelect(select, printExpression(source, postfixPrecedence) + (alias === undefined ? '' : ` AS ${alias}`))})`
}

function printLiteral({ value, number }: Expression & { kind: 'literal' }): string {
  if (number !== undefined) return number
  if (typeof value === 'string') return quote(value)
  return isNumeric(value) ? numberText(value) : String(value).toUpperCase()
}

/** A quote is doubled; behind a backslash, where doubling would not be seen, it has a backslash of its own (U-1). */
function quote(text: string): string {
  return `'${text.replace(/\\'|'/g, (found) => (found === "'" ? "''" : "\\\\'"))}'`
}
