// The consumers: a Lambda function behind each queue that consumers.json names.
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { GatewayError } from '../gateway/errors.ts'
import type { Deployed } from './consumers.ts'
import { createConsumer } from './functions.ts'
import type { Queues } from './queues.ts'

export interface ProcessingProps {
  readonly consumers: readonly Deployed[]
  readonly queues: Queues
}

export class Processing extends Construct {
  /** By queue. */
  readonly functions: Readonly<Record<string, LambdaFunction>>

  constructor(scope: Construct, { consumers, queues }: ProcessingProps) {
    super(scope, 'Processing')
    const functionOf = ({ config, entry }: Deployed) => {
      const pair = queues.pairs[config.queue]
      if (!pair) throw new GatewayError('CONFIG_INVALID', `consumers.json: queue "${config.queue}" is not in resources.json`)
      return [config.queue, createConsumer(this, { config, entry, ...pair })] as const
    }
    this.functions = Object.fromEntries(consumers.map(functionOf))
  }
}
