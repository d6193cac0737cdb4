// Where a message's group comes from on AWS: a rule's Lambda action sees the result of the SELECT, and nothing else of the message.
import type { RuleFile } from '../gateway/rules/rule-file.ts'
import { parseStatement, parseTemplateExpression } from '../gateway/rules/sql/parse.ts'
import { printExpression } from '../gateway/rules/sql/print.ts'

/** A text that is the same for all, or the field of the result that holds it. */
export type GroupSource = { readonly text: string } | { readonly field: string }

/** The field that the SELECT gives the same expression as the template: `${topic(3)}` and `topic(3) AS tenant` make `tenant`. */
export function groupSourceOf(groupId: string, { sql }: Pick<RuleFile, 'sql'>): GroupSource | { readonly problem: string } {
  if (!groupId.includes('${')) return { text: groupId }
  const asked = expressionOf(groupId)
  if (asked === undefined)
    return { problem: `"${groupId}" is more than one \${…}; AWS has no message groups, and a Lambda function sets one from one field` }
  const { items } = parseStatement(sql).select
  const at = items.findLastIndex(({ expression, alias }) => alias?.length === 1 && printExpression(expression) === asked)
  const field = items[at]?.alias?.[0]
  // What comes later in the list wins, and a `*` brings whatever the device wrote.
  const kept = items.slice(at + 1).every(({ expression, alias }) => expression.kind !== 'star' && alias?.[0] !== field)
  if (field !== undefined && kept) return { field }
  return {
    problem:
      "AWS's SQS action has no message group, so a Lambda function sends the message, and that sees only the result of the SELECT; " +
      `add "${asked} AS <name>" to it, after any *`,
  }
}

function expressionOf(template: string): string | undefined {
  if (!template.startsWith('${')) return undefined
  const { expression, end } = parseTemplateExpression(template, 2)
  return end === template.length ? printExpression(expression) : undefined
}
