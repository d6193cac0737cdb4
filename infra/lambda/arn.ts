// What a Lambda function can tell from an ARN it is given: which account it works in, and what its queues are called.
import { type Aws, createAws } from '../../gateway/aws/clients.ts'

/** SQS and SNS of the account and Region that the ARN names. */
export function awsOf(arn: string): Aws {
  const [, , , region = '', accountId = ''] = arn.split(':')
  return createAws({ region, accountId, queueUrlAsEndpoint: false })
}

/** `arn:aws:sqs:us-east-1:123456789012:telemetry` → `telemetry` */
export function nameOf(arn: string): string {
  return arn.slice(arn.lastIndexOf(':') + 1)
}
