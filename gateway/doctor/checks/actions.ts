// What is wrong with the actions of rules: targets that are not there, parameters AWS does not have, roles and templates that are none.
import { localOnlyIn } from '../../actions/index.ts'
import { isTemplate } from '../../actions/params.ts'
import { isSqsUrl } from '../../aws/sqs-hosts.ts'
import { actionsIn, type PlacedAction, textsOf } from '../actions.ts'
import type { CheckTable, Found } from '../check.ts'
import type { Estate } from '../estate.ts'
import { patternOf, templateProblem } from '../templates.ts'
import { groupProblem } from './groups.ts'

const roleArn = /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/
const topicArn = /^arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}$/
const queuePath = /^\/\d{12}\/[\w-]{1,75}(\.fifo)?$/

const at = ({ rule, at, name }: PlacedAction, param: string): Pick<Found, 'file' | 'field'> => ({
  file: rule.path,
  field: `${at}.${name}.${param}`,
})

/** Names without a URL or an ARN around them: the account's own, which resources describe. */
const isBare = (target: string) => !target.startsWith('arn:') && !/^https?:/.test(target)

/** A name that the resources would describe, and do not. */
const isMissing = (target: string, made: readonly { readonly name: string }[], { knowsResources }: Estate) => {
  const known = patternOf(target)
  return knowsResources && isBare(target) && !made.some(({ name }) => known.test(name))
}

const isMisaddressed = (target: string, isRight: (target: string) => boolean) => !isBare(target) && !isTemplate(target) && !isRight(target)

const isQueueUrl = (target: string) => {
  const url = URL.parse(target)
  return url !== null && isSqsUrl(url) && queuePath.test(url.pathname) && `${url.origin}${url.pathname}` === target
}

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
    means: "a parameter that AWS's action does not have, and that the stack puts a function in the place of",
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
    means: 'a parameter that works here and that the stack refuses, as AWS has nothing for it',
    fix: 'leave it out where the rule is to be deployed',
    *find(estate) {
      for (const { file, field, param } of localParams(estate)) {
        if (!mapped.has(param)) yield { file, field, text: `${param} cannot be deployed` }
      }
    },
  },
  'fifo-target': {
    severity: 'warning',
    means: "a FIFO queue as the target of a rule: AWS's own sqs action sends to standard queues only",
    fix: 'deploy through a function that sends with the message group, as the stack does, or use a standard queue',
    *find(estate) {
      for (const action of sqsActions(estate)) {
        const { queueUrl } = action.entry.sqs
        if (queueUrl.endsWith('.fifo')) yield { ...at(action, 'queueUrl'), text: `${queueUrl} is a FIFO queue` }
      }
    },
  },
  'queue-unknown': {
    severity: 'error',
    means: 'a rule that sends to a queue nobody makes',
    fix: 'add it to the resources, or mend the name',
    *find(estate) {
      for (const action of sqsActions(estate)) {
        const { queueUrl: target } = action.entry.sqs
        if (isMissing(target, estate.queues, estate))
          yield { ...at(action, 'queueUrl'), text: `no queue of the resources is called ${target}` }
      }
    },
  },
  'queue-url': {
    severity: 'error',
    means: 'a queue URL that is not one of SQS: works against an emulator only',
    fix: 'write the bare name of the queue, which stands for its URL here and on AWS',
    *find(estate) {
      for (const action of sqsActions(estate)) {
        const { queueUrl: target } = action.entry.sqs
        if (isMisaddressed(target, isQueueUrl))
          yield {
            ...at(action, 'queueUrl'),
            text: `"${target}" is not the URL of an SQS queue; write https://sqs.<region>.amazonaws.com/<account>/<queue>`,
          }
      }
    },
  },
  'topic-unknown': {
    severity: 'error',
    means: 'a rule that publishes to an SNS topic nobody makes',
    fix: 'add it to the resources, or mend the name',
    *find(estate) {
      for (const action of snsActions(estate)) {
        const { targetArn: target } = action.entry.sns
        if (isMissing(target, estate.topics, estate))
          yield { ...at(action, 'targetArn'), text: `no topic of the resources is called ${target}` }
      }
    },
  },
  'topic-arn': {
    severity: 'error',
    means: 'a target of SNS that is not the ARN of a topic',
    fix: 'write the bare name of the topic, or arn:aws:sns:<region>:<account>:<name>',
    *find(estate) {
      for (const action of snsActions(estate)) {
        const { targetArn: target } = action.entry.sns
        if (isMisaddressed(target, (arn) => topicArn.test(arn)))
          yield {
            ...at(action, 'targetArn'),
            text: `"${target}" is not the ARN of an SNS topic; write arn:aws:sns:<region>:<account>:<topic>`,
          }
      }
    },
  },
  'sns-json-default': {
    severity: 'error',
    means: 'messageFormat JSON without a key default in the result: SNS refuses each message',
    fix: 'SELECT … AS default, or use RAW',
    *find(estate) {
      for (const action of snsActions(estate)) {
        if (action.entry.sns.messageFormat !== 'JSON') continue
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
    fix: 'mend the expression between ${ and }',
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
      for (const action of sqsActions(estate)) {
        if (action.entry.sqs.useBase64 && action.at !== 'errorAction' && !mayBeBytes(action))
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
  'http-not-https': {
    severity: 'error',
    means: 'an http action that AWS cannot make: only https:// on port 443 or 8443',
    fix: 'serve the target over TLS on one of these ports',
    *find(estate) {
      for (const action of actionsIn(estate)) {
        const { http } = action.entry
        if (!http || isTemplate(http.url.split('/', 3).join('/'))) continue
        const { protocol, port } = new URL(http.url.replaceAll('${', '%24%7B'))
        if (protocol !== 'https:' || !['', '443', '8443'].includes(port))
          yield { ...at(action, 'url'), text: `AWS takes only https:// on port 443 or 8443` }
      }
    },
  },
} as const satisfies CheckTable

type SqsAction = PlacedAction & { readonly entry: { readonly sqs: NonNullable<PlacedAction['entry']['sqs']> } }
type SnsAction = PlacedAction & { readonly entry: { readonly sns: NonNullable<PlacedAction['entry']['sns']> } }

const sqsActions = (estate: Estate) => actionsIn(estate).filter((action): action is SqsAction => action.entry.sqs !== undefined)
const snsActions = (estate: Estate) => actionsIn(estate).filter((action): action is SnsAction => action.entry.sns !== undefined)

/** A message group is what the stack's own function sends with. */
const mapped: ReadonlySet<string> = new Set(['sqs.groupId'])

interface LocalParam {
  readonly action: PlacedAction
  readonly file: string
  readonly field: string
  readonly param: string
}

/** What a FIFO queue cannot be without, fifo-target tells of. */
function localParams(estate: Estate): readonly LocalParam[] {
  return actionsIn(estate).flatMap((action) =>
    localOnlyIn(action.entry)
      .filter((param) => param !== action.name && !(param === 'sqs.groupId' && action.entry.sqs?.queueUrl.endsWith('.fifo')))
      .map((param) => ({ action, file: action.rule.path, field: `${action.at}.${param}`, param })),
  )
}

/** A lone `*` passes bytes through as they came. */
function mayBeBytes({ rule }: PlacedAction): boolean {
  const { items } = rule.statement.tree.select
  return items.length === 1 && items[0]!.expression.kind === 'star' && items[0]!.alias === undefined
}
