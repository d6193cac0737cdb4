// Keeps the deliveries of one group in order through every retry: a delivery starts when the one before it has its result.
import { type BoundAction, fromPromise, type Sink, toPromise } from '../actions/action.ts'

/**
 * The last delivery of each FIFO group of a rule. When a rule file is read again, the new outlets share it with the old ones and
 * wait for their deliveries.
 */
export type Tails = Map<string, Promise<void>>

/*
   group A:  1 ── 2 ── 3        each waits until the one before it is accepted or has failed for good
   group B:  1 ── 2             groups do not wait for each other

   A delivery that a stop leaves without a result leaves its successors as well: delivering them would reverse the order.
*/
export function withOrder(sink: Sink, orderOf: NonNullable<BoundAction['orderOf']>, tails: Tails = new Map()): Sink {
  return {
    ...sink,
    deliver: fromPromise(async (delivery, signal) => {
      const order = orderOf(delivery)
      const deliver = async () => {
        await toPromise((done) => sink.deliver(delivery, signal, done))
      }
      if (order === undefined) return deliver()
      const group = `${delivery.rule} ${order}`
      const previous = tails.get(group)
      const done = previous ? previous.then(deliver) : deliver()
      const tail = done.catch((error) => {
        if (signal.aborted) throw error
      })
      tail.catch(() => undefined)
      tails.set(group, tail)
      const forget = () => {
        if (tails.get(group) === tail) tails.delete(group)
      }
      tail.then(forget, forget)
      return done
    }),
  }
}
