// Maps an error of an AWS service to a GatewayError: retryable if the situation caused it, final if the message did.
import { answeredStatus, silenceOf } from '../aws/answer.ts'
import type { FailedEntry } from '../aws/batch-answers.ts'
import { GatewayError, textOf } from '../errors.ts'

export interface Blamed {
  /** `sqs` */
  readonly action: string
  /** `queue` */
  readonly noun: string
  /** Name of the target, without host and account. */
  readonly target: string
  /** false: the configured queues and topics are still being created, so a missing one may still appear. Default: true. */
  readonly isReady?: () => boolean
}

const missing = /^(QueueDoesNotExist|NonExistentQueue|NotFound|NotFoundException|ResourceNotFoundException|QueueDeletedRecently)$/
// Not caused by the message: these errors pass, or an operator removes the cause.
const situation =
  /Throttl|TooManyRequests|OverLimit|RequestTimeout|SlowDown|AccessDenied|Authoriz|Kms|KMS|Token|Signature|Credential|Expired|UnrecognizedClient|InvalidSecurity|InvalidAddress|OptIn/
// Those of them that concern this target only: its permissions, its key, its address.
const ofTarget = /^(?!.*Throttl).*(AccessDenied|Authoriz|Kms|KMS|InvalidAddress)/
// Names that the SDK gives to a response that is not from AWS: a proxy page, a captive portal, a truncated body.
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
  // 400 is final: the service will never accept the message.
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

// Emulators and the query protocol add a prefix to the error names of the SDK's JSON protocol.
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

function missingTarget({ action, noun, target, isReady }: Blamed, cause?: unknown): GatewayError {
  const details = { action, target, ofTarget: isReady?.() ?? true }
  return new GatewayError('ACTION_TARGET_MISSING', `the ${noun} "${target}" does not exist`, { details, cause })
}

function failed({ action, target }: Blamed, text: string, cause?: unknown, ofTarget = false): GatewayError {
  return new GatewayError('ACTION_FAILED', text, { details: { action, target, ofTarget }, cause })
}

function refused({ action, target }: Blamed, text: string, cause?: unknown): GatewayError {
  return new GatewayError('ACTION_REFUSED', text, { details: { action, target }, cause })
}
