// The rules: from a published message to queues and topics.
import { CfnOutput, RemovalPolicy } from 'aws-cdk-lib'
import { type ILogGroup, LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import type { RuleFile } from '../gateway/rules/rule-file.ts'
import type { Queues } from './queues.ts'
import { TopicRule } from './topic-rule.ts'

export interface IngestProps {
  readonly rules: readonly RuleFile[]
  readonly queues: Queues
}

export class Ingest extends Construct {
  constructor(scope: Construct, { rules, queues }: IngestProps) {
    super(scope, 'Ingest')
    let log: ILogGroup | undefined
    const logGroup = () => {
      log ??= new LogGroup(this, 'RuleLog', { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY })
      return log
    }
    const { pairs, topics, key } = queues
    const targets = { queues: Object.fromEntries(Object.entries(pairs).map(([name, { queue }]) => [name, queue])), topics, key, logGroup }
    for (const rule of rules) {
      const { basicIngestPrefix } = new TopicRule(this, { rule, targets })
      new CfnOutput(this, `BasicIngest-${rule.name}`, {
        value: basicIngestPrefix,
        description: `Published under this prefix, a message reaches the rule ${rule.name} alone, and is not charged as a message`,
      })
    }
  }
}
