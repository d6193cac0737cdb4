// What the spool reports of its disk: calls that fail, and the conditions SPOOL_FULL and SPOOL_FAILED.
import type { Clock } from '../../lib/clock.ts'
import { textOf } from '../errors.ts'
import { type Condition, createCondition } from '../observe/condition.ts'
import type { Observe } from '../observe/observe.ts'

export class SpoolHealth {
  readonly #observe: Observe
  readonly #full: Condition
  readonly #failed: Condition
  readonly #roomyBytes: number

  /** SPOOL_FULL ends when the spool occupies at most `roomyBytes`. */
  constructor(observe: Observe, clock: Clock, roomyBytes: number) {
    this.#observe = observe
    this.#full = createCondition({ observe, clock }, { code: 'SPOOL_FULL' })
    this.#failed = createCondition({ observe, clock }, { code: 'SPOOL_FAILED' })
    this.#roomyBytes = roomyBytes
  }

  /** A call other than the write of a batch failed. */
  callFailed(call: string, error: unknown): void {
    this.#observe.record('spool.failed', { code: errnoOf(error), detail: `${call}: ${textOf(error)}` })
  }

  writeFailed(detail: string): void {
    this.#failed.raise({ detail })
  }

  wrote(): void {
    this.#failed.clear()
  }

  full(detail: string): void {
    this.#full.raise({ detail })
  }

  /** The spool occupies this many bytes now. */
  occupies(bytes: number): void {
    if (bytes <= this.#roomyBytes) this.#full.clear()
  }

  corrupted(detail: string, bytes?: number): void {
    this.#observe.record('spool.corrupted', { detail, ...(bytes !== undefined && { bytes }) })
  }
}

/** The code of a file system error; `'unknown'` for any other. */
export function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'unknown'
}
