// What an error of SQS or SNS means for the delivery: the situation is at fault (try again), or the message is (never).
import { answeredStatus, silenceOf } from '../aws/answer.ts'
import type { FailedEntry } from '../aws/batch-answers.ts'
import { GatewayError, textOf } from '../errors.ts'

export interface Blamed {
  /** `sqs`, `sns`. */
  readonly action: string
  /** Name of the queue or topic, without host and account. */
  readonly target: string
  /** false: configured queues and topics are still being created, so a missing one says nothing about its name. Default: ready. */
  readonly isReady?: () => boolean
}

const missing = /^(QueueDoesNotExist|NonExistentQueue|NotFound|NotFoundException|QueueDeletedRecently)$/
// The message is innocent of all of these: they pass, or an operator makes them pass.
const situation =
  /Throttl|TooManyRequests|OverLimit|RequestTimeout|SlowDown|AccessDenied|Authoriz|Kms|KMS|Token|Signature|Credential|Expired|UnrecognizedClient|InvalidSecurity|InvalidAddress|OptIn/
// Of these, the ones that concern the one queue or topic: its permissions, its key, its address.
const ofTarget = /^(?!.*Throttl).*(AccessDenied|Authoriz|Kms|KMS|InvalidAddress)/
// What readers of answers call an answer that is not from SQS or SNS: a page of a proxy, a captive portal, a body cut short.
const foreign = /^(Unknown.*|.*SyntaxError|.*TypeError|Error)$/

/** For an error thrown by a call as a whole. */
export function toActionError(error: unknown, blamed: Blamed): GatewayError {
  if (error instanceof GatewayError) return error
  const { name, status, network } = facts(error)
  if (missing.test(name)) return missingTarget(blamed, error)
  if (network) {
    return failed(blamed, `${blamed.action.toUpperCase()} does not answer (${network})`, error)
  }
  const text = sentence(blamed, name, textOf(error))
  // SQS and SNS say 400 to what they will never take.
  const final = status === 400 && !foreign.test(name) && !situation.test(name)
  return final ? refused(blamed, text, error) : failed(blamed, text, error, ofTarget.test(name))
}

/** For one entry of a batch whose neighbours may have been accepted. */
export function toEntryError({ Code = 'Unknown', Message, SenderFault }: FailedEntry, blamed: Blamed): GatewayError {
  const name = bare(Code)
  if (missing.test(name)) return missingTarget(blamed)
  const text = sentence(blamed, name, Message)
  return SenderFault && !situation.test(name) ? refused(blamed, text) : failed(blamed, text, undefined, ofTarget.test(name))
}

/** `https://…/000000000000/telemetry` or `arn:aws:sns:…:alerts` → the last part. */
export function targetName(urlOrArn: string): string {
  return urlOrArn.slice(Math.max(urlOrArn.lastIndexOf('/'), urlOrArn.lastIndexOf(':')) + 1)
}

// Emulators and the query protocol prefix what the SDK's JSON protocol calls by its bare name.
function bare(name: string): string {
  return name.replace(/^(AWS\.SimpleQueueService\.|com\.amazonaws\.\w+#)/, '')
}

function facts(error: unknown) {
  const { name = 'Error' } = Object(error) as { readonly name?: string }
  return { name: bare(name), status: answeredStatus(error), network: silenceOf(error) }
}

function sentence({ action, target }: Blamed, name: string, text?: string): string {
  return `${action.toUpperCase()} did not take the message for "${target}": ${name}${text ? ` (${text})` : ''}`
}

function missingTarget({ action, target, isReady }: Blamed, cause?: unknown): GatewayError {
  const noun = action === 'sns' ? 'topic' : 'queue'
  const details = { action, target, ofTarget: isReady?.() ?? true }
  return new GatewayError('ACTION_TARGET_MISSING', `the ${noun} "${target}" does not exist`, { details, cause })
}

function failed({ action, target }: Blamed, text: string, cause?: unknown, ofTarget = false): GatewayError {
  return new GatewayError('ACTION_FAILED', text, { details: { action, target, ofTarget }, cause })
}

function refused({ action, target }: Blamed, text: string, cause?: unknown): GatewayError {
  return new GatewayError('ACTION_REFUSED', text, { details: { action, target }, cause })
}
