// What the error action of a rule receives: AWS's documented envelope, one per rule and message, with every failure in it.
import { GatewayError } from '../errors.ts'
import { bytesOf } from '../message/body.ts'
import type { Message } from '../message/message.ts'
import { traceIdOf } from '../message/trace.ts'
import { masked } from '../observe/mask.ts'

export interface Failure {
  /** `sqs`, `http`, … */
  readonly action: string
  readonly error: unknown
}

/** [AWS rule-error-handling] The bytes that the error action delivers. The same message and failures give the same bytes. */
export function toErrorEnvelope(rule: string, message: Message, failures: readonly Failure[]): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      ruleName: rule,
      topic: message.topic,
      cloudwatchTraceId: traceIdOf(message),
      clientId: message.source.clientId,
      base64OriginalPayload: bytesOf(message.payload).toString('base64'),
      failures: failures.map((failure) => describe(failure, message.topic)),
    }),
  )
}

function describe({ action, error }: Failure, topic: string) {
  const target = error instanceof GatewayError && typeof error.details.target === 'string' ? error.details.target : ''
  // Of an error that is not ours nobody knows what its text gives away; AWS's own names ARNs and accounts.
  const reason = error instanceof GatewayError ? `${error.code}: ${masked(error.message)}` : 'the action failed inside the gateway'
  const where = target === '' ? '' : `, Resource: ${target}`
  return {
    failedAction: `${action.charAt(0).toUpperCase()}${action.slice(1)}Action`,
    failedResource: target,
    errorMessage: `Failed to deliver the message. The error received was ${reason}. Message arrived on: ${topic}, Action: ${action}${where}`,
  }
}
