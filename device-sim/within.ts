// Patience with an end.
import type { Clock } from '../lib/clock.ts'

/** Resolves with the work, or after `ms` without it. */
export async function within(ms: number, clock: Clock, work: Promise<unknown>): Promise<void> {
  const done = new AbortController()
  const patience = clock.sleep(ms, done.signal).catch(() => undefined)
  await Promise.race([work, patience])
  done.abort()
}
