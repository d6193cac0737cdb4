// Whether the message group of a rule can be set at AWS: a function sends there, and it sees the result of the SELECT and nothing else.
import { isTemplate } from '../../actions/params.ts'
import { parseTemplateExpression } from '../../rules/sql/parse.ts'
import { printExpression } from '../../rules/sql/print.ts'
import { actionsIn, type PlacedAction } from '../actions.ts'
import type { CheckTable } from '../check.ts'
import { fixedParts, templateProblem } from '../templates.ts'

export const groupChecks = {
  'group-not-deployable': {
    severity: 'warning',
    means:
      'a groupId that the stack refuses: the function that sends with it is given the result of the SELECT, as JSON, and has to find the group in one field',
    fix: 'select the same expression under a name of its own, after any *, such as topic(3) AS tenant for "${topic(3)}"; and leave useBase64 out',
    *find(estate) {
      for (const action of actionsIn(estate)) {
        const problem = groupProblem(action)
        if (problem) yield { file: action.rule.path, field: `${action.at}.sqs.groupId`, text: problem }
      }
    },
  },
} as const satisfies CheckTable

/** Why the stack would not set this action's group; undefined where it would, or there is none. */
export function groupProblem({ rule, entry: { sqs } }: PlacedAction): string | undefined {
  if (sqs?.groupId === undefined) return undefined
  if (sqs.useBase64) return 'a message with a group cannot be base64 at AWS'
  // Not a template, or none that parses: that is template-invalid's.
  if (!isTemplate(sqs.groupId) || templateProblem(sqs.groupId, rule)) return undefined
  const asked = expressionOf(sqs.groupId)
  if (asked === undefined) return 'the group is more than one expression'
  const { items } = rule.statement.tree.select
  const at = items.findLastIndex(({ expression, alias }) => alias?.length === 1 && printExpression(expression) === asked)
  const isKept = items.slice(at + 1).every(({ expression, alias }) => expression.kind !== 'star' && alias?.[0] !== items[at]?.alias?.[0])
  return at >= 0 && isKept ? undefined : `the SELECT has no ${asked} AS <name>`
}

/** Of `${topic(3)}` and nothing else. */
function expressionOf(template: string): string | undefined {
  const [before, ...after] = fixedParts(template)
  if (before !== '' || after.length !== 1 || after[0] !== '') return undefined
  return printExpression(parseTemplateExpression(template, 2).expression)
}
