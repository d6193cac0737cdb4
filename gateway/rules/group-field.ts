// Which field of a rule's result holds a message's group: what sends for the rule on AWS is given the result of the SELECT, and nothing else.
import type { StatementTree } from './sql/ast.ts'
import { parseTemplateExpression } from './sql/parse.ts'
import { printExpression } from './sql/print.ts'

/** Without a field, the expression that no field holds; without that too, the template is not one expression. */
export interface GroupField {
  readonly expression?: string
  readonly field?: string
}

/** The field that the SELECT gives the same expression as the template: `${topic(3)}` and `topic(3) AS tenant` make `tenant`. */
export function groupFieldOf(template: string, { select: { items } }: Pick<StatementTree, 'select'>): GroupField {
  const asked = expressionOf(template)
  if (asked === undefined) return {}
  const at = items.findLastIndex(({ expression, alias }) => alias?.length === 1 && printExpression(expression) === asked)
  const field = items[at]?.alias?.[0]
  // What comes later in the list wins, and a `*` brings whatever the device wrote.
  const isKept = items.slice(at + 1).every(({ expression, alias }) => expression.kind !== 'star' && alias?.[0] !== field)
  return field !== undefined && isKept ? { expression: asked, field } : { expression: asked }
}

/** Of `${topic(3)}` and nothing else. */
function expressionOf(template: string): string | undefined {
  if (!template.startsWith('${')) return undefined
  const { expression, end } = parseTemplateExpression(template, 2)
  return end === template.length ? printExpression(expression) : undefined
}
