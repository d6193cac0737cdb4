// Where a message's group comes from on AWS: a rule's Lambda action sees the result of the SELECT, and nothing else of the message.
import { groupFieldOf } from '../gateway/rules/group-field.ts'
import type { RuleFile } from '../gateway/rules/rule-file.ts'
import { parseStatement } from '../gateway/rules/sql/parse.ts'

/** A text that is the same for all, or the field of the result that holds it. */
export type GroupSource = { readonly text: string } | { readonly field: string }

export function groupSourceOf(groupId: string, { sql }: Pick<RuleFile, 'sql'>): GroupSource | { readonly problem: string } {
  if (!groupId.includes('${')) return { text: groupId }
  const { expression, field } = groupFieldOf(groupId, parseStatement(sql))
  if (field !== undefined) return { field }
  if (expression === undefined)
    return { problem: `"${groupId}" is more than one \${…}; AWS has no message groups, and a Lambda function sets one from one field` }
  return {
    problem:
      "AWS's SQS action has no message group, so a Lambda function sends the message, and that sees only the result of the SELECT; " +
      `add "${expression} AS <name>" to it, after any *`,
  }
}
