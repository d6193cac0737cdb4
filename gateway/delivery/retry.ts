// Retries a delivery for as long as a retry can help: the message is safe in the spool, so an outage may last for hours.
import { type Backoff, backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { abandoned, type BoundAction, callBack, type Delivery, type Done, type Sink, toGatewayError, toPromise } from '../actions/action.ts'
import { targetName } from '../actions/aws-errors.ts'
import { GatewayError, textOf } from '../errors.ts'
import type { Breaker } from './breaker.ts'
import { createTroubles, type Troubles, type TroublesDeps } from './troubles.ts'

const backoff: Backoff = { baseMs: 100, capMs: 10_000 }

/** Retries are a tenth of the successes, and one a second so that a quiet sink is not stuck. */
const budget = { tokens: 100, perSuccess: 0.1, perSecond: 1 }

/** Fails a delivery only with an error that no retry can help, or because the signal aborted. */
export function withRetries(action: BoundAction, deps: TroublesDeps, troubles: Troubles = createTroubles(deps, action)): Sink {
  const retries = new Retries(action, deps, troubles)
  return {
    action: action.action,
    deliver: (delivery, signal, done) => retries.deliver(delivery, signal, done),
    isUnavailable: () => troubles.isUnavailable(),
    ...(action.stop && { stop: () => action.stop!() }),
  }
}

class Retries {
  readonly #action: BoundAction
  readonly #deps: TroublesDeps
  readonly #troubles: Troubles
  readonly #tokens: Budget

  constructor(action: BoundAction, deps: TroublesDeps, troubles: Troubles) {
    this.#action = action
    this.#deps = deps
    this.#troubles = troubles
    this.#tokens = new Budget(deps.clock)
  }

  /** The first attempt of nearly every message succeeds, and takes no promise. */
  deliver(delivery: Delivery, signal: AbortSignal, done: Done) {
    if (this.#troubles.size > 0 && this.#troubles.get(this.#targetOf(delivery))) {
      return callBack(this.#insist(delivery, signal, 0), signal, done)
    }
    this.#action.deliver(delivery, signal, (result) => {
      if (typeof result === 'string') {
        this.#succeeded(delivery)
        return done(result)
      }
      const retried = this.#recover(result, delivery, 0, false, signal).then(() => this.#insist(delivery, signal, 1))
      callBack(retried, signal, done)
    })
  }

  #targetOf(delivery: Delivery): string {
    return this.#action.targetOf?.(delivery) ?? this.#action.action
  }

  #succeeded(delivery: Delivery): void {
    this.#tokens.earn()
    if (!this.#troubles.isCalm()) this.#troubles.succeeded(this.#targetOf(delivery))
  }

  /** Makes attempts until one succeeds. Rejects when no retry can help. */
  async #insist(delivery: Delivery, signal: AbortSignal, firstAttempt: number): Promise<void> {
    for (let attempt = firstAttempt; ; attempt++) {
      const probe = await this.#admit(delivery, signal)
      try {
        await toPromise((done) => this.#action.deliver(delivery, signal, done))
        return this.#succeeded(delivery)
      } catch (error) {
        await this.#recover(toGatewayError(error, signal), delivery, attempt, probe, signal)
      }
    }
  }

  /** Waits while the target does not accept. Resolves with true for the delivery that probes whether it does. */
  async #admit(delivery: Delivery, signal: AbortSignal): Promise<boolean> {
    const target = this.#targetOf(delivery)
    const trouble = this.#troubles.get(target)
    if (!trouble?.breaker.open) return false
    if (this.#troubles.refuses(trouble)) throw withTarget(trouble.error, this.#action.action, target)
    if (this.#troubles.tries(trouble)) return false
    return trouble.breaker.admit(signal).catch(endWait)
  }

  /** Resolves when another attempt may be made. Rejects when no retry can help. */
  async #recover(error: GatewayError, delivery: Delivery, attempt: number, probe: boolean, signal: AbortSignal): Promise<void> {
    const target = this.#targetOf(delivery)
    const { action } = this.#action
    if (signal.aborted || !error.retryable) {
      this.#troubles.get(target)?.breaker.left(probe)
      throw withTarget(error, action, target)
    }
    if (!this.#troubles.failed(target, delivery, error, probe)) throw withTarget(error, action, target)
    const { observe } = this.#deps
    const where = { rule: delivery.rule, action, target: targetName(target) }
    observe.record('action.retried', { ...where, code: error.code, detail: textOf(error) })
    await this.#pause(this.#troubles.get(target)!.breaker, attempt, signal).catch(endWait)
  }

  /** An attempt counts against the budget unless the breaker paces it already. */
  async #pause(breaker: Breaker, attempt: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps
    for (let wait = attempt; !breaker.open; wait++) {
      await clock.sleep(backoffMs(backoff, wait, random), signal)
      if (this.#tokens.spend()) return
    }
  }
}

/** A wait ends early because the target was given up, or because the signal aborted. */
function endWait(reason: unknown): never {
  throw reason instanceof GatewayError ? reason : abandoned()
}

/** Adds the target to the details of an error, also when the body was at fault. */
export function withTarget(error: GatewayError, action: string, target: string): GatewayError {
  if (error.details.target !== undefined) return error
  return new GatewayError(error.code, error.message, { details: { action, target: targetName(target), ...error.details }, cause: error })
}

class Budget {
  readonly #clock: Pick<Clock, 'monotonic'>
  #tokens = budget.tokens
  #at: number

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
    this.#at = clock.monotonic()
  }

  earn(): void {
    this.#tokens = Math.min(budget.tokens, this.#tokens + budget.perSuccess)
  }

  spend(): boolean {
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(budget.tokens, this.#tokens + ((now - this.#at) / 1_000) * budget.perSecond)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
