// Spares a target that is away: after a few failures in a row everybody waits, and one caller at a time tries whether it is back.
import { type Backoff, backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'

export interface BreakerOptions {
  readonly clock: Clock
  readonly random: () => number
  /** Failures in a row that open it. */
  readonly threshold: number
  /** Between two probes. */
  readonly backoff: Backoff
  onOpen(): void
  /** Carries how long it was open, in milliseconds. */
  onClose(openMs: number): void
}

export interface Breaker {
  readonly open: boolean
  /** Resolves when a call may be made, with true for the one that probes. Rejects with the signal's reason. */
  admit(signal: AbortSignal): Promise<boolean>
  succeeded(): void
  /** Callers that shared a call fail with the same cause, which counts once. */
  failed(probe: boolean, cause: unknown): void
  /** The call ended without saying anything about the target: the next waiter probes in its place, at once. */
  left(probe: boolean): void
  /** Those that wait are rejected with the reason; a probe that is on its way goes on. */
  giveUp(reason: unknown): void
}

interface Waiter {
  readonly signal: AbortSignal
  resolve(probe: boolean): void
  reject(reason: unknown): void
}

/*
              threshold failures in a row
   closed ───────────────────────────────▶ open: all wait, one sleeps and probes ◀─┐
      ▲                                      │                 │                    │ failure: the next one sleeps longer
      └──────────── success: all go ─────────┘                 └────────────────────┘ left: the next one probes at once
*/
export function createBreaker({ clock, random, threshold, backoff, onOpen, onClose }: BreakerOptions): Breaker {
  const waiters = new Set<Waiter>()
  let failures = 0
  let lastCause: unknown
  let openedAt: number | undefined
  let probing = false
  let probes = 0
  let watched = new Map<AbortSignal, () => void>()

  const close = () => {
    if (openedAt !== undefined) onClose(clock.monotonic() - openedAt)
    openedAt = undefined
    probing = false
    probes = 0
    for (const [signal, onAbort] of watched) signal.removeEventListener('abort', onAbort)
    watched = new Map()
    for (const { resolve } of waiters) resolve(false)
    waiters.clear()
  }

  const nextWaiter = (): Waiter | undefined => {
    const [next] = waiters
    if (next) waiters.delete(next)
    probing = next !== undefined
    return next
  }

  const passOn = () => {
    const next = nextWaiter()
    if (next) probe(next.signal).then(next.resolve, next.reject)
  }

  const probe = async (signal: AbortSignal): Promise<boolean> => {
    probing = true
    try {
      await clock.sleep(backoffMs(backoff, probes++, random), signal)
    } catch (error) {
      passOn()
      throw error
    }
    // While the probe slept, a call that was still in flight may have succeeded.
    return openedAt !== undefined
  }

  // One listener per signal: callers share few signals, and there may be thousands of callers.
  const watch = (signal: AbortSignal) => {
    if (watched.has(signal)) return
    const onAbort = () => {
      for (const waiter of waiters) {
        if (waiter.signal !== signal) continue
        waiters.delete(waiter)
        waiter.reject(signal.reason)
      }
    }
    watched.set(signal, onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
  }

  return {
    get open() {
      return openedAt !== undefined
    },
    async admit(signal) {
      signal.throwIfAborted()
      if (openedAt === undefined) return false
      if (!probing) return probe(signal)
      watch(signal)
      return new Promise((resolve, reject) => waiters.add({ signal, resolve, reject }))
    },
    succeeded() {
      failures = 0
      if (openedAt !== undefined) close()
    },
    failed(probe, cause) {
      if (cause !== lastCause) failures++
      lastCause = cause
      if (probe) passOn()
      if (openedAt !== undefined || failures < threshold) return
      openedAt = clock.monotonic()
      onOpen()
    },
    left(probe) {
      if (probe && openedAt !== undefined) nextWaiter()?.resolve(true)
    },
    giveUp(reason) {
      for (const { reject } of waiters) reject(reason)
      waiters.clear()
    },
  }
}
