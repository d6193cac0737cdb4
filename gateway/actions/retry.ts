// Tries again for as long as trying can help: the message is safe in the spool, so a queue that is away for hours is waited for.
import { type Backoff, backoffMs } from '../../lib/backoff.ts'
import { GatewayError, textOf } from '../errors.ts'
import { type ActionDeps, type Delivery, report, type Sink, type Target, told } from './action.ts'
import { targetName } from './aws-errors.ts'
import type { Breaker } from './breaker.ts'
import { abandoned } from './callers.ts'
import { createTroubles, type Troubles } from './troubles.ts'

const backoff: Backoff = { baseMs: 100, capMs: 10_000 }

/** Retries stay a small share of the traffic: a tenth of what succeeds, and one a second so that a quiet sink is not stuck. */
const budget = { tokens: 100, perSuccess: 0.1, perSecond: 1 }

type RetryDeps = Pick<ActionDeps, 'clock' | 'random' | 'observe' | 'maxHeld'>

/** Rejects only with what trying again cannot help, or because the signal aborted. */
export function withRetries(sink: Target, deps: RetryDeps, troubles: Troubles = createTroubles(deps, sink)): Sink {
  const { clock, random, observe } = deps
  const { action } = sink
  const targetOf = sink.targetOf ?? (() => action)
  const tokens = createBudget(deps)

  const settle = (delivery: Delivery) => {
    tokens.earn()
    if (troubles.isCalm()) return
    troubles.succeeded(targetOf(delivery))
  }

  /** Resolves when the next attempt may be made; counts it against the budget unless the breaker paces it already. */
  const pause = async (breaker: Breaker, attempt: number, signal: AbortSignal) => {
    for (let wait = attempt; !breaker.open; wait++) {
      await clock.sleep(backoffMs(backoff, wait, random), signal)
      if (tokens.spend()) return
    }
  }

  /** Resolves when another attempt may be made; rejects when none can help. */
  const recover = async (error: unknown, delivery: Delivery, attempt: number, probe: boolean, signal: AbortSignal): Promise<void> => {
    const target = targetOf(delivery)
    if (signal.aborted || !(error instanceof GatewayError) || !error.retryable) {
      troubles.get(target)?.breaker.left(probe)
      throw signal.aborted && !(error instanceof GatewayError) ? abandoned() : withTarget(error, action, target)
    }
    if (!troubles.failed(target, delivery, error, probe)) throw withTarget(error, action, target)
    observe.record('action.retried', {
      ...{ rule: delivery.rule, action, code: error.code, target: targetName(target), detail: textOf(error) },
    })
    await pause(troubles.get(target)!.breaker, attempt, signal).catch(leave)
  }

  /** Waits while the target does not accept. Resolves with true for the delivery that probes whether it does. */
  const admit = async (delivery: Delivery, signal: AbortSignal): Promise<boolean> => {
    const target = targetOf(delivery)
    const trouble = troubles.get(target)
    if (!trouble?.breaker.open) return false
    if (troubles.refuses(trouble)) throw withTarget(trouble.error, action, target)
    if (troubles.tries(trouble)) return false
    return trouble.breaker.admit(signal).catch(leave)
  }

  const insist = async (delivery: Delivery, signal: AbortSignal, attempt: number): Promise<void> => {
    for (let next = attempt; ; next++) {
      const probe = await admit(delivery, signal)
      try {
        await told((done) => sink.deliver(delivery, signal, done))
        return settle(delivery)
      } catch (error) {
        await recover(error, delivery, next, probe, signal)
      }
    }
  }

  /** The first attempt of nearly every message succeeds, and costs no promise. */
  const deliver: Sink['deliver'] = (delivery, signal, done) => {
    if (troubles.size > 0 && troubles.get(targetOf(delivery))) return report(insist(delivery, signal, 0), done)
    sink.deliver(delivery, signal, (error) => {
      if (error === undefined) {
        settle(delivery)
        return done()
      }
      const retried = recover(error, delivery, 0, false, signal).then(() => insist(delivery, signal, 1))
      report(retried, done)
    })
  }

  return {
    action,
    deliver,
    isAway: troubles.isAway,
    ...(sink.stop && { stop: () => sink.stop!() }),
  }
}

/** Counts what is outstanding for each target of a template, the wait behind others of its group included. */
export function withShare(sink: Sink, { targetOf: fill, orderOf }: Target & Required<Pick<Target, 'targetOf'>>, troubles: Troubles): Sink {
  /** A delivery whose template fails has no target, and fails when the sink fills the template itself. */
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
    isAway: (delivery) => troubles.isAway() || (delivery !== undefined && troubles.waits(targetOf(delivery))),
    isFree(delivery, isParked) {
      const target = targetOf(delivery)
      return !troubles.waits(target) && (orderOf?.(delivery) === undefined || !isParked(target))
    },
    deliver(delivery, signal, done) {
      const target = targetOf(delivery)
      const trouble = troubles.size > 0 ? troubles.get(target) : undefined
      if (trouble && troubles.refuses(trouble)) return done(withTarget(trouble.error, sink.action, target))
      troubles.entered(target)
      sink.deliver(delivery, signal, (error) => {
        troubles.left(target)
        done(error)
      })
    },
  }
}

/** Waits end early because the target was given up, or because the signal aborted. */
function leave(reason: unknown): never {
  throw reason instanceof GatewayError ? reason : abandoned()
}

/** Whoever reads the failure wants to know where the delivery was to go, also when the body was at fault. */
function withTarget(error: unknown, action: string, target: string): unknown {
  if (!(error instanceof GatewayError) || error.details.target !== undefined) return error
  return new GatewayError(error.code, error.message, { details: { action, target: targetName(target), ...error.details }, cause: error })
}

function createBudget({ clock }: RetryDeps) {
  let tokens = budget.tokens
  let at = clock.monotonic()
  return {
    earn() {
      tokens = Math.min(budget.tokens, tokens + budget.perSuccess)
    },
    spend(): boolean {
      const now = clock.monotonic()
      tokens = Math.min(budget.tokens, tokens + ((now - at) / 1_000) * budget.perSecond)
      at = now
      if (tokens < 1) return false
      tokens--
      return true
    },
  }
}
