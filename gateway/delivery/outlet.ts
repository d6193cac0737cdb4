// Builds what a rule delivers through: a bound action with order, retries, a circuit breaker and parking around it.
import type { ActionRef, BoundAction, Outlet } from '../actions/action.ts'
import { type Tails, withOrder } from './order.ts'
import type { ParkableSink } from './parked-messages.ts'
import { type Parking, withParking } from './parking.ts'
import { withRetries } from './retry.ts'
import { withTargetCounts } from './target-counts.ts'
import { Troubles, type TroublesDeps } from './troubles.ts'

export interface OutletDeps extends TroublesDeps {
  /** Default: each outlet keeps its own order, which ends with it. */
  readonly tails?: Tails
  /** Default: deliveries for an unavailable target wait in memory. */
  readonly parking?: Parking | undefined
}

/** The outlet of one action of a rule. */
export function createOutlet(action: BoundAction, ref: ActionRef, deps: OutletDeps): Outlet {
  const sink = createSink(action, deps)
  if (deps.parking) return withParking(sink, deps.parking.of(ref))
  return { ...sink, ref, deliverParked: (delivery, signal, done) => sink.deliver(delivery, signal, done) }
}

/**
 * A bound action with order and retries: what error actions are delivered through. A delivery is `accepted`, or has failed for good
 * unless its signal aborted.
 */
export function createSink(action: BoundAction, deps: OutletDeps): ParkableSink {
  if (action.ownRetries) return action
  const { pattern, targetOf, orderOf } = action
  const troubles = new Troubles(deps, action)
  const retried = withRetries(action, deps, troubles)
  const sink = orderOf ? withOrder(retried, orderOf, deps.tails) : retried
  return pattern !== undefined && targetOf ? withTargetCounts(sink, { ...action, targetOf }, troubles) : sink
}
