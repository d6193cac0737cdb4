// Tries again for as long as trying can help: the message is safe in the spool, so a queue that is away for hours is waited for.
import { type Backoff, backoffMs } from '../../lib/backoff.ts'
import { GatewayError, textOf } from '../errors.ts'
import { type ActionDeps, type Delivery, report, type Sink, type Target, told } from './action.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import { abandoned } from './callers.ts'

const backoff: Backoff = { baseMs: 100, capMs: 10_000 }
const probeBackoff: Backoff = { baseMs: 500, capMs: 5_000 }
const failuresToOpen = 3

/** Retries stay a small share of the traffic: a tenth of what succeeds, and one a second so that a quiet sink is not stuck. */
const budget = { tokens: 100, perSuccess: 0.1, perSecond: 1 }

type RetryDeps = Pick<ActionDeps, 'clock' | 'random' | 'observe'>

/** Rejects only with what trying again cannot help, or because the signal aborted. */
export function withRetries(sink: Target, deps: RetryDeps): Sink {
  const { clock, random, observe } = deps
  const { action } = sink
  const breakers = new Map<string, Breaker>()
  const targetOf = sink.targetOf ?? (() => action)
  const tokens = createBudget(deps)

  const breakerOf = (target: string, { rule }: Delivery, code: string): Breaker => {
    const known = breakers.get(target)
    if (known) return known
    const about = { rule, action, code, target }
    const breaker = createBreaker({
      clock,
      random,
      threshold: failuresToOpen,
      backoff: probeBackoff,
      onOpen: () => observe.record('gateway.degraded', about),
      onClose: (ms) => observe.record('gateway.recovered', { ...about, ms: Math.round(ms) }),
    })
    breakers.set(target, breaker)
    return breaker
  }

  const settle = (delivery: Delivery) => {
    tokens.earn()
    if (breakers.size === 0) return
    const target = targetOf(delivery)
    breakers.get(target)?.succeeded()
    breakers.delete(target)
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
      breakers.get(target)?.left(probe)
      throw signal.aborted && !(error instanceof GatewayError) ? abandoned() : withTarget(error, action, target)
    }
    const breaker = breakerOf(target, delivery, error.code)
    breaker.failed(probe, error)
    observe.record('action.retried', { rule: delivery.rule, action, code: error.code, target, detail: textOf(error) })
    await pause(breaker, attempt, signal).catch(leave)
  }

  const insist = async (delivery: Delivery, signal: AbortSignal, attempt: number): Promise<void> => {
    for (let next = attempt; ; next++) {
      const waiting = breakers.get(targetOf(delivery))
      const probe = waiting?.open ? await waiting.admit(signal).catch(leave) : false
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
    if (breakers.size > 0) return report(insist(delivery, signal, 0), done)
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
    isAway() {
      for (const { open } of breakers.values()) if (open) return true
      return false
    },
    ...(sink.stop && { stop: () => sink.stop!() }),
  }
}

/** Waits end early only because the signal aborted. */
function leave(): never {
  throw abandoned()
}

/** Whoever reads the failure wants to know where the delivery was to go, also when the body was at fault. */
function withTarget(error: unknown, action: string, target: string): unknown {
  if (!(error instanceof GatewayError) || error.details.target !== undefined) return error
  return new GatewayError(error.code, error.message, { details: { action, target, ...error.details }, cause: error })
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
