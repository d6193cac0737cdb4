// What is wrong with rules as a whole: their names, their number, their size, and what happens when an action fails.
import { actionNameOf, localOnlyIn } from '../../actions/index.ts'
import type { CheckTable } from '../check.ts'

const payloadBytes = 128 * 1_024
const rulesPerAccount = 1_000

export const ruleChecks = {
  'rule-name-taken': {
    severity: 'error',
    means: 'two rules of one name: AWS keeps one of them, the gateway starts with none',
    fix: 'rename one',
    *find({ rules }) {
      const first = new Map<string, string>()
      for (const { path, file } of rules) {
        const other = first.get(file.name)
        if (other !== undefined) yield { file: path, field: 'name', text: `the name ${file.name} is taken by ${other}` }
        else first.set(file.name, path)
      }
    },
  },
  'rule-too-large': {
    severity: 'error',
    means: 'a rule over 128 KiB: statement, actions, error action and description together',
    fix: 'shorten it, or split it',
    *find({ rules }) {
      for (const { path, raw } of rules) {
        const bytes = Buffer.byteLength(JSON.stringify(raw))
        if (bytes > payloadBytes) yield { file: path, text: `the rule has ${bytes} bytes; AWS takes ${payloadBytes}` }
      }
    },
  },
  'rules-too-many': {
    severity: 'error',
    means: 'more rules than an account has',
    fix: 'fold rules that differ in a name into one with a substitution template, or ask AWS for more',
    *find({ rules, rulesDir }) {
      if (rules.length > rulesPerAccount)
        yield { file: rulesDir, text: `there are ${rules.length} rules; an account has ${rulesPerAccount}` }
    },
  },
  'rule-no-actions': {
    severity: 'warning',
    means: 'a rule without actions: its messages match and go nowhere',
    fix: 'give it an action, or remove it',
    *find({ rules }) {
      for (const { path, file } of rules)
        if (file.actions.length === 0) yield { file: path, field: 'actions', text: 'the rule does nothing' }
    },
  },
  'rule-disabled': {
    severity: 'note',
    means: 'a disabled rule: checked, deployed, and not run',
    fix: 'remove ruleDisabled when it is wanted',
    *find({ rules }) {
      for (const { path, file } of rules) if (file.ruleDisabled) yield { file: path, field: 'ruleDisabled', text: 'the rule is disabled' }
    },
  },
  'error-action-missing': {
    severity: 'error',
    means: 'a rule without an error action: what an action could not deliver is gone on AWS, so the stack refuses it',
    fix: 'add "errorAction": { "sqs": { "queueUrl": "rule-errors" } }',
    *find({ rules }) {
      for (const { path, file } of rules) {
        if (file.actions.length > 0 && file.errorAction === undefined)
          yield { file: path, field: 'errorAction', text: 'the rule has no error action' }
      }
    },
  },
  'error-action-local': {
    severity: 'warning',
    means: 'an error action that only writes a log: failures can be read there, and nobody can replay them',
    fix: 'send failures to an SQS queue',
    *find({ rules }) {
      for (const { path, file } of rules) {
        if (file.errorAction && localOnlyIn(file.errorAction).includes(actionNameOf(file.errorAction)))
          yield { file: path, field: 'errorAction', text: `failures go to ${actionNameOf(file.errorAction)} only` }
      }
    },
  },
} as const satisfies CheckTable
