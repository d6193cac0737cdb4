// A clock that a test moves by hand. Sleepers wake in the order of their deadlines, and what they start runs before advance returns.
import type { Clock } from '../../lib/clock.ts'

export interface ManualClock extends Clock {
  advance(ms: number): Promise<void>
  /** Sets the wall clock forwards, or back, as a person or NTP does. Nothing that waits notices. */
  step(ms: number): void
  /** How many sleeps, deadlines and intervals wait. */
  readonly waiting: number
}

interface Waiter {
  at: number
  readonly wake: () => void
  readonly everyMs?: number
}

export function createManualClock(startAt = Date.UTC(2026, 0, 1)): ManualClock {
  let now = startAt
  /** Of the wall clock. */
  let stepped = 0
  const waiters = new Set<Waiter>()
  const add = (ms: number, wake: () => void, everyMs?: number) => {
    const waiter: Waiter = { at: now + ms, wake, ...(everyMs === undefined ? {} : { everyMs }) }
    waiters.add(waiter)
    return waiter
  }
  const next = (until: number) => [...waiters].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]

  return {
    now: () => now + stepped,
    step(ms) {
      stepped += ms
    },
    monotonic: () => now - startAt,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const onAbort = () => {
          waiters.delete(waiter)
          reject(signal?.reason)
        }
        const waiter = add(ms, () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        signal?.addEventListener('abort', onAbort, { once: true })
      }),
    deadline(ms, signal) {
      const own = new AbortController()
      add(ms, () => own.abort(new DOMException('The operation timed out.', 'TimeoutError')))
      return signal ? AbortSignal.any([signal, own.signal]) : own.signal
    },
    every(ms, callback) {
      const waiter = add(ms, callback, ms)
      return () => waiters.delete(waiter)
    },
    async advance(ms) {
      const until = now + ms
      for (let waiter = next(until); waiter; waiter = next(until)) {
        now = Math.max(now, waiter.at)
        if (waiter.everyMs === undefined) waiters.delete(waiter)
        else waiter.at += waiter.everyMs
        waiter.wake()
        await settled()
      }
      now = until
      await settled()
    },
    get waiting() {
      return waiters.size
    },
  }
}

/** Lets every promise that can move do so. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}
