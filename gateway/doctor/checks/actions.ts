// Checks the parameters of actions: those that AWS does not have, roles, templates, and bodies that a target does not carry.
import { localOnlyIn } from '../../actions/index.ts'
import { isTemplate } from '../../actions/params.ts'
import { actionsIn, actionsNamed, type PlacedAction, textsOf } from '../actions.ts'
import type { CheckTable, Found } from '../check.ts'
import type { Estate } from '../estate.ts'
import { templateProblem } from '../templates.ts'
import { groupProblem } from './groups.ts'

const roleArn = /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/

const at = ({ rule, at, name }: PlacedAction, param: string): Pick<Found, 'file' | 'field'> => ({
  file: rule.path,
  field: `${at}.${name}.${param}`,
})

export const actionChecks = {
  'local-only-action': {
    severity: 'note',
    means: 'an action that AWS does not have under this name; the stack maps `log` to CloudWatch Logs',
    fix: 'nothing to do, unless it is deployed by other means than the stack',
    *find(estate) {
      for (const action of actionsIn(estate)) {
        if (action.at !== 'errorAction' && localOnlyIn(action.entry).includes(action.name))
          yield { file: action.rule.path, field: `${action.at}.${action.name}`, text: `AWS has no action ${action.name}` }
      }
    },
  },
  'local-only': {
    severity: 'note',
    means: "a parameter that AWS's action does not have; the stack deploys a function instead of the action",
    fix: 'nothing to do; docs/aws.md says what becomes of it',
    *find(estate) {
      for (const { file, field, param, action } of localParams(estate)) {
        if (mapped.has(param) && groupProblem(action) === undefined)
          yield { file, field, text: `${param} goes beyond the rule action of AWS` }
      }
    },
  },
  'local-only-refused': {
    severity: 'warning',
    means: 'a parameter that works here and that the stack refuses, because AWS has no equivalent',
    fix: 'leave it out where the rule is to be deployed',
    *find(estate) {
      for (const { file, field, param } of localParams(estate)) {
        if (!mapped.has(param)) yield { file, field, text: `${param} cannot be deployed` }
      }
    },
  },
  'sns-json-default': {
    severity: 'error',
    means: 'messageFormat JSON without a key default in the result: SNS refuses each message',
    fix: 'SELECT … AS default, or use RAW',
    *find(estate) {
      for (const action of actionsNamed(estate, 'sns')) {
        if (action.params.messageFormat !== 'JSON') continue
        const { value, items } = action.rule.statement.tree.select
        const keys = items.map(({ alias, expression }) => alias?.join('.') ?? (expression.kind === 'name' ? expression.name : undefined))
        const open = value || items.some(({ expression }) => expression.kind === 'star')
        if (!open && !keys.includes('default')) yield { ...at(action, 'messageFormat'), text: 'the statement selects no default' }
      }
    },
  },
  'role-arn': {
    severity: 'error',
    means: 'a roleArn that is not the ARN of an IAM role',
    fix: 'write arn:aws:iam::<account>:role/<name>, or leave it out: the stack makes one role for each action',
    *find(estate) {
      for (const action of actionsIn(estate)) {
        const role = (action.entry[action.name] as { readonly roleArn?: string }).roleArn
        if (role !== undefined && !roleArn.test(role))
          yield { ...at(action, 'roleArn'), text: 'this is not the ARN of an IAM role; write arn:aws:iam::<account>:role/<name>' }
      }
    },
  },
  'template-invalid': {
    severity: 'error',
    means: 'a substitution template that does not parse',
    fix: 'correct the expression between ${ and }',
    *find(estate) {
      for (const action of actionsIn(estate)) {
        for (const { field, text } of textsOf(action)) {
          const problem = field.endsWith('.roleArn') || !isTemplate(text) ? undefined : templateProblem(text, action.rule)
          if (problem) yield { file: action.rule.path, field, text: problem }
        }
      }
    },
  },
  'base64-of-json': {
    severity: 'note',
    means: 'useBase64 for a result that is always JSON text: a third more bytes, and consumers must decode',
    fix: 'remove useBase64',
    *find(estate) {
      for (const action of actionsNamed(estate, 'sqs')) {
        if (action.params.useBase64 && action.at !== 'errorAction' && !mayBeBytes(action))
          yield { ...at(action, 'useBase64'), text: 'the result of this statement is always JSON' }
      }
    },
  },
  'bytes-as-text': {
    severity: 'note',
    means: 'SELECT * of a payload that may be bytes: SQS and SNS carry text only, and the error action gets the rest',
    fix: "set useBase64, or SELECT encode(*, 'base64') AS data, unless every payload is JSON",
    *find(estate) {
      for (const action of actionsIn(estate)) {
        const { sqs, sns } = action.entry
        if ((sns || (sqs && !sqs.useBase64)) && action.at !== 'errorAction' && mayBeBytes(action))
          yield {
            file: action.rule.path,
            field: `${action.at}.${action.name}`,
            text: 'a payload that is not text cannot be delivered here',
          }
      }
    },
  },
} as const satisfies CheckTable

/** Parameters that the stack implements with a function of its own. */
const mapped: ReadonlySet<string> = new Set(['sqs.groupId'])

interface LocalParam {
  readonly action: PlacedAction
  readonly file: string
  readonly field: string
  readonly param: string
}

/** Without the groupId of FIFO queues: fifo-target reports those. */
function localParams(estate: Estate): readonly LocalParam[] {
  return actionsIn(estate).flatMap((action) =>
    localOnlyIn(action.entry)
      .filter((param) => param !== action.name && !(param === 'sqs.groupId' && action.entry.sqs?.queueUrl.endsWith('.fifo')))
      .map((param) => ({ action, file: action.rule.path, field: `${action.at}.${param}`, param })),
  )
}

/** A lone `*` passes the bytes of the payload through unchanged. */
function mayBeBytes({ rule }: PlacedAction): boolean {
  const { items } = rule.statement.tree.select
  return items.length === 1 && items[0]!.expression.kind === 'star' && items[0]!.alias === undefined
}
