// The work that one evaluation may cost. A payload decides how often a nested query, a comparison or a regular expression goes
// round, so each of them counts its steps here. Module state is enough: an evaluation never yields.
import { GatewayError } from '../../errors.ts'

/** Steps of one evaluation. A step costs 10 to 100 ns, so an evaluation ends within half a second. */
export const maxWork = 3_000_000

let left = maxWork

/** At the start of an evaluation. */
export function beginWork(): void {
  left = maxWork
}

/** RULE_FAILED, which leads to the error action. No function of the language may catch it. */
export class TooMuchWork extends GatewayError {
  constructor() {
    super('RULE_FAILED', `the rule needs more than ${maxWork} steps for this message; see the limits in docs/sql.md`)
  }
}

/** Throws TooMuchWork when the steps are used up. */
export function spend(steps: number): void {
  left -= steps
  if (left >= 0) return
  left = maxWork
  throw new TooMuchWork()
}
