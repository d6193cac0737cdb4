// What the schemas and the SQL compiler refuse, sorted by the field it is about, so that each mistake has a name of its own.
import type { Check, Severity } from '../check.ts'
import type { Kind, Problem } from '../estate.ts'

interface Row extends Omit<Check, 'find' | 'severity'> {
  /** An error where left out. */
  readonly severity?: Severity
  readonly kind: Kind
  /** Fields, or texts, that it is about; absent: all that is left of its kind. */
  readonly field?: RegExp
  readonly text?: RegExp
}

const rows = {
  'not-json': { kind: 'json', means: 'a file that is not JSON', fix: 'mend the file where the sentence points' },
  'sql-function-unknown': {
    kind: 'sql',
    text: /^function \w+ does not exist/,
    means: 'a call of a function that AWS IoT SQL does not have',
    fix: 'use a function of docs/sql.md',
  },
  'sql-invalid': {
    kind: 'sql',
    means: 'a statement that does not parse or compile',
    fix: 'mend the statement at the line and column given',
  },
  'rule-name': {
    kind: 'rule',
    field: /^name$/,
    means: 'a rule name AWS refuses',
    fix: 'use 1 to 128 letters, digits and underscores',
  },
  'sql-version-unknown': {
    kind: 'rule',
    field: /^awsIotSqlVersion$/,
    means: 'an SQL version that does not exist',
    fix: 'write "awsIotSqlVersion": "2016-03-23"',
  },
  'rule-too-many-actions': {
    kind: 'rule',
    field: /^actions$/,
    text: /10/,
    means: 'more than ten actions in a rule',
    fix: 'split the rule in two with the same SQL',
  },
  'republish-qos': {
    kind: 'rule',
    field: /republish\.qos$/,
    means: 'a QoS that republish does not have',
    fix: 'use 0 or 1: AWS IoT Core has no QoS 2',
  },
  'sns-message-format': {
    kind: 'rule',
    field: /sns\.messageFormat$/,
    means: 'a message format SNS does not have',
    fix: 'use RAW or JSON',
  },
  'sns-fifo': { kind: 'rule', field: /sns\.targetArn$/, means: 'a FIFO topic as target', fix: 'send to a standard topic' },
  'fifo-group': {
    kind: 'rule',
    field: /sqs\.(groupId|pack)$/,
    means: 'a FIFO queue without a message group, or with packed messages',
    fix: 'give groupId, such as "${topic(5)}", and no pack',
  },
  'queue-template': {
    kind: 'rule',
    field: /sqs\.queueUrl$/,
    means: 'a queueUrl with which a message could choose the host that gets the credentials',
    fix: 'start the template with a part of the queue name, or with https://sqs.<region>.amazonaws.com/',
  },
  'http-url': {
    kind: 'rule',
    field: /http\.(url|confirmationUrl)$/,
    means: 'no web address in an http action, or a confirmationUrl that does not confine the URL',
    fix: 'give an https:// URL, and a confirmationUrl with a literal host',
  },
  'rule-shape': { kind: 'rule', means: 'a rule file that is not a topic rule', fix: 'see the parameters in docs/actions.md' },
  'policy-version': {
    kind: 'policy',
    field: /^Version$/,
    means: 'a policy without the version in which variables work',
    fix: 'write "Version": "2012-10-17"',
  },
  'policy-too-long': {
    kind: 'policy',
    text: /characters at most/,
    means: 'a policy over 2048 characters, white space not counted',
    fix: 'use variables and wildcards instead of lists, or split it: ten policies fit a principal',
  },
  'policy-action': {
    kind: 'policy',
    field: /\b(Not)?Action\b/,
    means: 'no action in an Action, such as a policy variable: AWS replaces those only in Resource and Condition',
    fix: 'name the action: iot:Connect, iot:Publish, iot:Subscribe, iot:Receive …',
  },
  'policy-resource': {
    kind: 'policy',
    field: /\b(Not)?Resource\b/,
    means: 'no ARN in a Resource',
    fix: 'write arn:aws:iot:<region>:<account>:topic/… or topicfilter/…, client/…, thing/…',
  },
  'policy-shape': { kind: 'policy', means: 'a document AWS does not take as a policy', fix: 'mend the field the sentence names' },
  'queue-name': {
    kind: 'resources',
    field: /^queues\b/,
    means: 'a queue name or setting SQS refuses',
    fix: 'use at most 75 letters, digits, - and _, with .fifo at the end of a FIFO queue, and SQS limits for its times',
  },
  'resources-shape': { kind: 'resources', means: 'a resources file that does not fit', fix: 'see infra/resources.json' },
  'things-shape': { kind: 'things', means: 'a registry that does not fit', fix: 'mend the field the sentence names' },
  'template-shape': { kind: 'template', means: 'no CloudFormation template', fix: 'name the file that npm run synth wrote, in cdk.out' },
  'environment-missing': {
    kind: 'environment',
    severity: 'warning',
    means: 'a configuration that names an environment variable which is not set here, so that nothing else of it was checked',
    fix: 'set it, to any value of the right form',
  },
  'config-shape': { kind: 'config', means: 'a configuration the gateway refuses', fix: 'see docs/config.md' },
} as const satisfies Readonly<Record<string, Row>>

type Name = keyof typeof rows
const names = Object.keys(rows) as readonly Name[]

/** The first row that fits, as each kind ends with one that takes all. */
const nameOf = (problem: Problem): Name | undefined =>
  names.find((name) => {
    const { kind, field, text }: Row = rows[name]
    return kind === problem.kind && (field?.test(problem.field ?? '') ?? true) && (text?.test(problem.text) ?? true)
  })

const toCheck = (name: Name): Check => {
  const { severity = 'error', means, fix }: Row = rows[name]
  return { severity, means, fix, find: ({ problems }) => problems.filter((problem) => nameOf(problem) === name) }
}

export const shapeChecks = Object.fromEntries(names.map((name) => [name, toCheck(name)])) as Readonly<Record<Name, Check>>
