// What every answer has: the formula, the inputs, the figures and how far to trust them.
import { CostError } from '../errors.ts'
import type { WireOf } from '../paths.ts'
import type { Confidence } from '../price-book.ts'
import type { Workload } from '../workload.ts'

export interface Answer {
  readonly formula: string
  readonly inputs: string
  readonly header: readonly string[]
  /** How many of the first cells name their row; the others are figures. */
  readonly labels: number
  readonly rows: readonly (readonly string[])[]
  /** One or two sentences, every figure of them computed. */
  readonly result: string
  readonly confidence: Confidence
  readonly caveat?: string
}

export interface Question {
  readonly title: string
  /** Throws a CostError where the region lacks a price that the whole answer needs. */
  answer(workload: Workload, wires?: WireOf): Answer
}

/** A cell that a missing price turns into its reason. */
export function orReason(cell: () => string): string {
  try {
    return cell()
  } catch (error) {
    if (error instanceof CostError && error.exitCode === 1) return `not priced: ${error.message.replace(/ \(.*/, '')}`
    throw error
  }
}

export function describeWorkload({ region, devices, intervalMs, payloadBytes, topicBytes, qos, days }: Workload): string {
  return `${region}, ${devices.toLocaleString('en-US')} devices, one reading of ${payloadBytes} bytes every ${intervalMs / 1_000} s, topic ${topicBytes} bytes, QoS ${qos}, ${days} days`
}
