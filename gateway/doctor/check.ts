// What a check of the doctor is: one row that says what it looks for, how bad that is, what to do, and how to find it.
import type { Estate } from './estate.ts'

/** `error`: AWS refuses it, or messages are lost. `warning`: works, and will hurt. `note`: worth knowing. */
export type Severity = 'error' | 'warning' | 'note'
export const severities: readonly Severity[] = ['error', 'warning', 'note']

/** One place where a check found something. */
export interface Found {
  readonly file: string
  /** `actions[0].sqs.queueUrl`. */
  readonly field?: string
  /** In the statement, both from 1. */
  readonly line?: number
  readonly column?: number
  /** One sentence: what is wrong here. */
  readonly text: string
}

export interface Check {
  readonly severity: Severity
  /** What it looks for, for the docs. */
  readonly means: string
  /** What to do about it. */
  readonly fix: string
  find(estate: Estate): Iterable<Found>
}

export type CheckTable = Readonly<Record<string, Check>>

export interface Finding extends Found {
  /** The check's name: `error-action-missing`. */
  readonly id: string
  readonly severity: Severity
  readonly fix: string
  /** The section that says more. */
  readonly docs: string
}
