// Keeps the deliveries of one group in order, through every retry: the next is not tried before the one ahead is settled.
import { promised, type Sink, type Tails, type Target, told } from './action.ts'

/*
   group A:  1 ── 2 ── 3        each waits for the one ahead to be accepted or given up for good
   group B:  1 ── 2             groups do not wait for each other

   If one is left unsettled, because its caller went away, everything queued behind it is left as well:
   delivering a successor would put it ahead for ever.
*/
export function keepOrder(sink: Sink, orderOf: NonNullable<Target['orderOf']>, tails: Tails = new Map()): Sink {
  return {
    ...sink,
    deliver: promised(async (delivery, signal) => {
      const order = orderOf(delivery)
      const deliver = () => told((done) => sink.deliver(delivery, signal, done))
      if (order === undefined) return deliver()
      const group = `${delivery.rule} ${order}`
      const ahead = tails.get(group)
      const done = ahead ? ahead.then(deliver) : deliver()
      // Settled for good, also when refused, frees the next one; left unsettled, it takes the next one with it.
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
