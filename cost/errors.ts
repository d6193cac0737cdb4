// How a cost question can fail to have an answer, and the exit code each way deserves.
import { nearest } from '../lib/nearest.ts'

/** The message is one sentence for the person at the terminal. `exitCode`: 1 a price is missing, 2 the input was wrong. */
export class CostError extends Error {
  override readonly name = 'CostError'
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 2, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** No source gave this price: whatever needs it has no total, because a bill with a hole in it is not a bill. */
export class PriceMissing extends CostError {
  readonly item: string

  constructor(item: string, region: string, note?: string) {
    super(`${region} has no price for ${item}${note ? ` (${note})` : ''}`, 1)
    this.item = item
  }
}

/** `did you mean "iot-mqtt"?`, or the whole list where nothing known is near. */
export function suggest(given: string, known: readonly string[]): string {
  const meant = nearest(given, known)
  return meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`
}
