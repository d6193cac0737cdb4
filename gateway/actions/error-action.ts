// What the error action of a rule receives: AWS's documented envelope, one per rule and message, with every failure in it.
import type { GatewayError } from '../errors.ts'
import { bytesOf } from '../message/body.ts'
import type { Message } from '../message/message.ts'
import { traceIdOf } from '../message/trace.ts'
import { masked } from '../observe/mask.ts'

export interface Failure {
  /** `sqs`, `http`, … */
  readonly action: string
  readonly error: GatewayError
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
  const target = typeof error.details.target === 'string' ? error.details.target : ''
  // The text of an unexpected error may name anything. AWS's own envelopes name ARNs and accounts.
  const reason = error.code === 'INTERNAL' ? 'the action failed inside the gateway' : `${error.code}: ${masked(error.message)}`
  const where = target === '' ? '' : `, Resource: ${target}`
  return {
    failedAction: `${action.charAt(0).toUpperCase()}${action.slice(1)}Action`,
    failedResource: target,
    errorMessage: `Failed to deliver the message. The error received was ${reason}. Message arrived on: ${topic}, Action: ${action}${where}`,
  }
}
