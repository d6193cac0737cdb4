// Spares an unavailable target: after a few failures in a row all callers wait, and one at a time probes whether it is back.
import { type Backoff, backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'

export interface BreakerOptions {
  readonly clock: Clock
  readonly random: () => number
  /** Failures in a row that open the breaker. */
  readonly threshold: number
  /** Pauses between probes. */
  readonly backoff: Backoff
  onOpen(): void
  onClose(): void
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
export class Breaker {
  readonly #options: BreakerOptions
  readonly #waiters = new Set<Waiter>()
  /** One listener for each signal: thousands of callers share few signals. */
  #watched = new Map<AbortSignal, () => void>()
  #failures = 0
  #lastCause: unknown
  #isOpen = false
  #isProbing = false
  #probes = 0

  constructor(options: BreakerOptions) {
    this.#options = options
  }

  get open(): boolean {
    return this.#isOpen
  }

  /** Resolves when a call may be made, with true for the call that probes. Rejects with the signal's reason. */
  async admit(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted()
    if (!this.#isOpen) return false
    if (!this.#isProbing) return this.#probe(signal)
    this.#watch(signal)
    return new Promise((resolve, reject) => this.#waiters.add({ signal, resolve, reject }))
  }

  succeeded(): void {
    this.#failures = 0
    if (this.#isOpen) this.#close()
  }

  /** Callers that shared a call fail with the same cause, which counts once. */
  failed(probe: boolean, cause: unknown): void {
    if (cause !== this.#lastCause) this.#failures++
    this.#lastCause = cause
    if (probe) this.#passOn()
    if (this.#isOpen || this.#failures < this.#options.threshold) return
    this.#isOpen = true
    this.#options.onOpen()
  }

  /** The call ended without a result about the target. The next waiter probes at once. */
  left(probe: boolean): void {
    if (probe && this.#isOpen) this.#nextWaiter()?.resolve(true)
  }

  /** Rejects all waiters with the reason. A probe in progress goes on. */
  giveUp(reason: unknown): void {
    for (const { reject } of this.#waiters) reject(reason)
    this.#waiters.clear()
  }

  #close(): void {
    this.#options.onClose()
    this.#isOpen = false
    this.#isProbing = false
    this.#probes = 0
    for (const [signal, onAbort] of this.#watched) signal.removeEventListener('abort', onAbort)
    this.#watched = new Map()
    for (const { resolve } of this.#waiters) resolve(false)
    this.#waiters.clear()
  }

  #nextWaiter(): Waiter | undefined {
    const [next] = this.#waiters
    if (next) this.#waiters.delete(next)
    this.#isProbing = next !== undefined
    return next
  }

  #passOn(): void {
    const next = this.#nextWaiter()
    if (next) this.#probe(next.signal).then(next.resolve, next.reject)
  }

  async #probe(signal: AbortSignal): Promise<boolean> {
    const { clock, backoff, random } = this.#options
    this.#isProbing = true
    try {
      await clock.sleep(backoffMs(backoff, this.#probes++, random), signal)
    } catch (error) {
      this.#passOn()
      throw error
    }
    // While the probe slept, a call in flight may have succeeded.
    return this.#isOpen
  }

  #watch(signal: AbortSignal): void {
    if (this.#watched.has(signal)) return
    const onAbort = () => {
      for (const waiter of this.#waiters) {
        if (waiter.signal !== signal) continue
        this.#waiters.delete(waiter)
        waiter.reject(signal.reason)
      }
    }
    this.#watched.set(signal, onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
  }
}
