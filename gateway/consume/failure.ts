// How a handler says "never", and what of a failure an operator may read in a dead-letter queue.
import { type ErrorCode, GatewayError } from '../errors.ts'
import { masked } from '../observe/mask.ts'

/**
 * Thrown by a handler: this message cannot succeed, so it goes to the dead-letter queue at once.
 * The reason is written for operators and stored beside the message; the cause stays in the process.
 */
export class PermanentFailure extends Error {
  readonly reason: string

  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'PermanentFailure'
    this.reason = reason
  }
}

/** By shape and not by class: a user's module may have its own copy of the class. */
export function isPermanentFailure(error: unknown): error is PermanentFailure {
  return error instanceof Error && error.name === 'PermanentFailure' && 'reason' in error && typeof error.reason === 'string'
}

/** Aborted by our own stop: nobody's failure. */
export function isStopping(error: Error | undefined): boolean {
  return error instanceof GatewayError && error.code === 'STOPPING'
}

const maxReasonLength = 200

/**
 * `CODE: text` for the reason attribute of a dead letter. The text is ours, or what a PermanentFailure said on purpose:
 * its first line, in printable characters SQS carries, bounded, and with what is secret or inside masked.
 */
export function deadReason(code: ErrorCode, said: string): string {
  return `${code}: ${masked(said).slice(0, maxReasonLength).trim() || 'no reason given'}`
}
