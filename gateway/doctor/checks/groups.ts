// Whether the message group of a rule can be set at AWS: a function sends there, and it sees the result of the SELECT and nothing else.
import { isTemplate } from '../../actions/params.ts'
import { groupFieldOf } from '../../rules/group-field.ts'
import { actionsIn, type PlacedAction } from '../actions.ts'
import type { CheckTable } from '../check.ts'
import { templateProblem } from '../templates.ts'

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
  const { expression, field } = groupFieldOf(sqs.groupId, rule.statement.tree)
  if (expression === undefined) return 'the group is more than one expression'
  return field === undefined ? `the SELECT has no ${expression} AS <name>` : undefined
}
