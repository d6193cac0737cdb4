// Whether what is at AWS is what the files say. Only with `--deployed`, and only for what it could ask.
import type { CheckTable, Found } from '../check.ts'
import type { Estate } from '../estate.ts'

const spaced = (sql: string) => sql.replace(/\s+/g, ' ').trim()

export const deployedChecks = {
  'deployed-queue-missing': {
    severity: 'error',
    means: 'a queue of the resources that AWS does not have',
    fix: 'deploy the stack',
    *find({ deployed, queues }) {
      for (const { file, field, name } of queues)
        if (deployed?.queues.has(name) && !deployed.queues.get(name)) yield { file, field, text: `${deployed.where} has no queue ${name}` }
    },
  },
  'deployed-queue-differs': {
    severity: 'warning',
    means:
      'a queue at AWS with other settings than its resources say; a longer visibility timeout there is the stack making room for a function',
    fix: 'deploy the stack, or write down what was changed by hand',
    *find({ deployed, queues }) {
      for (const wanted of queues) {
        const found = deployed?.queues.get(wanted.name)
        if (!found) continue
        const differences = [
          ['retentionSeconds', wanted.retentionSeconds, found.retentionSeconds],
          ['maxReceiveCount', wanted.redrive?.maxReceiveCount, found.redrive?.maxReceiveCount],
          [
            'visibilityTimeoutSeconds',
            wanted.visibilityTimeoutSeconds,
            Math.min(wanted.visibilityTimeoutSeconds, found.visibilityTimeoutSeconds),
          ],
        ] as const
        // That there are no dead letters at all is said once, by queue-without-dlq.
        for (const [setting, here, there] of differences)
          if (here !== there && there !== undefined)
            yield { file: wanted.file, field: `${wanted.field}.${setting}`, text: `it is ${here} here and ${there} at ${deployed!.where}` }
      }
    },
  },
  'deployed-topic-missing': {
    severity: 'error',
    means: 'a topic of the resources that AWS does not have',
    fix: 'deploy the stack',
    *find({ deployed, topics }) {
      for (const { file, field, name } of topics)
        if (deployed?.topics.has(name) && !deployed.topics.get(name)) yield { file, field, text: `${deployed.where} has no topic ${name}` }
    },
  },
  'deployed-subscription-missing': {
    severity: 'error',
    means: 'a queue that is to get what a topic gets, and is not subscribed at AWS',
    fix: 'deploy the stack',
    *find({ deployed, topics }) {
      for (const { file, field, name, queues } of topics) {
        const there = deployed?.topics.get(name)
        for (const queue of there ? queues : [])
          if (!there!.includes(queue))
            yield { file, field: `${field}.queues`, text: `${queue} does not subscribe to it at ${deployed!.where}` }
      }
    },
  },
  'deployed-rule-missing': {
    severity: 'error',
    means: 'a rule that AWS does not have',
    fix: 'deploy the stack',
    *find({ deployed, rules }) {
      for (const { path, file } of rules)
        if (deployed?.rules?.has(file.name) && !deployed.rules.get(file.name))
          yield { file: path, field: 'name', text: `${deployed.where} has no rule ${file.name}` }
    },
  },
  'deployed-rule-differs': {
    severity: 'error',
    means: 'a rule at AWS with another statement, SQL version or switch than its file',
    fix: 'deploy the stack',
    find: (estate) => differingRules(estate),
  },
} as const satisfies CheckTable

function* differingRules({ deployed, rules }: Estate): Generator<Found> {
  for (const { path, file } of rules) {
    const there = deployed?.rules?.get(file.name)
    if (!there) continue
    const at = `at ${deployed!.where}`
    if (spaced(there.sql) !== spaced(file.sql)) yield { file: path, field: 'sql', text: `the statement is another ${at}` }
    const version = there.awsIotSqlVersion ?? '2015-10-08'
    if (version !== file.awsIotSqlVersion) yield { file: path, field: 'awsIotSqlVersion', text: `it is ${version} ${at}` }
    const disabled = there.ruleDisabled ?? false
    if (disabled !== file.ruleDisabled)
      yield { file: path, field: 'ruleDisabled', text: `the rule is ${disabled ? 'disabled' : 'enabled'} ${at}` }
  }
}
