// Counts the deliveries outstanding for each target of a template, so that targets that devices invent hold a bounded number.
import type { BoundAction, Delivery, Sink } from '../actions/action.ts'
import type { ParkableSink } from './parked-messages.ts'
import { withTarget } from './retry.ts'
import type { Troubles } from './troubles.ts'

type Templated = Pick<BoundAction, 'orderOf'> & Required<Pick<BoundAction, 'targetOf'>>

/** A delivery counts from its start to its result, including its wait for others of its group. */
export function withTargetCounts(sink: Sink, { targetOf: fill, orderOf }: Templated, troubles: Troubles): ParkableSink {
  /** A delivery whose template fails has no target. It fails when the action fills the template itself. */
  const targetOf = (delivery: Delivery) => {
    try {
      return fill(delivery)
    } catch {
      return ''
    }
  }
  return {
    ...sink,
    targetOf,
    isUnavailable: (delivery) => troubles.isUnavailable() || (delivery !== undefined && troubles.waits(targetOf(delivery))),
    isFree(delivery, isParked) {
      const target = targetOf(delivery)
      return !troubles.waits(target) && (orderOf?.(delivery) === undefined || !isParked(target))
    },
    deliver(delivery, signal, done) {
      const target = targetOf(delivery)
      const trouble = troubles.size > 0 ? troubles.get(target) : undefined
      if (trouble && troubles.refuses(trouble)) return done(withTarget(trouble.error, sink.action, target))
      troubles.entered(target)
      sink.deliver(delivery, signal, (result) => {
        if (result === 'accepted') troubles.accepted(target)
        troubles.left(target)
        done(result)
      })
    },
  }
}
