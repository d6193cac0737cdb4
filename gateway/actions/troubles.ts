// The targets of one action that do not accept: a breaker for each, and a bound on what the targets of a template may hold.
import type { Backoff } from '../../lib/backoff.ts'
import type { GatewayError } from '../errors.ts'
import { type Condition, createCondition } from '../observe/condition.ts'
import type { ActionDeps, Delivery, Target } from './action.ts'
import { targetName } from './aws-errors.ts'
import { type Breaker, createBreaker } from './breaker.ts'

/*
   A rule names a fixed target: whatever fails passes some day, so its messages wait for as long as it takes.

   A template such as `telemetry-${topic(3)}` names targets from messages. Devices can invent any number of names, so a failure is
   judged by what it says:
     of the target      it does not exist, or permission for it is missing. The endpoint answers.
                        Its messages wait for `patienceMs`, and no more than `maxHeld` for all such targets together.
     of the endpoint    it does not answer. While no target accepts, all wait, as for a fixed target. A target that goes on failing
                        for `patienceMs` while others accept is judged by itself.
   Beyond that a delivery fails for good, and the error action gets it. One delivery at a time still probes the target.
*/
export interface Trouble {
  readonly breaker: Breaker
  error: GatewayError
  /** When it began, or when it last could be judged; monotonic milliseconds. */
  since: number
  openedAt: number | undefined
  usedAt: number
  isGivenUp: boolean
  /** A target that is given up is tried again from then on. */
  retryAt: number
}

export interface Troubles {
  get(target: string): Trouble | undefined
  /** No target is in trouble, so a success needs no `succeeded`. */
  isCalm(): boolean
  /** false: the target is given up, and so is the delivery that failed. */
  failed(target: string, delivery: Delivery, error: GatewayError, probe: boolean): boolean
  succeeded(target: string): void
  /** true: a delivery for the target fails at once. */
  refuses(trouble: Trouble): boolean
  /** true: the target is given up, and this delivery tries it again without waiting. */
  tries(trouble: Trouble): boolean
  /** Of templates: a delivery is outstanding from `entered` to `left`, its wait behind others of its group included. */
  entered(target: string): void
  left(target: string): void
  /** Nothing is accepted at present. */
  isAway(): boolean
  /** Messages for the target wait for the endpoint, however many they are. */
  waits(target: string): boolean
  /** Targets that are remembered. */
  readonly size: number
}

export type TroublesOptions = Pick<Target, 'action' | 'pattern'>

/** How long the messages of a target wait that a template named and that does not accept, while the endpoint answers. */
export const patienceMs = 10_000
/** Targets in trouble that are remembered while nothing waits for them, and for how long. */
const maxIdle = 1_000
const idleMs = 60_000
const probeBackoff: Backoff = { baseMs: 500, capMs: 5_000 }
const failuresToOpen = 3
/** Between two tries of a target that is given up. */
const retryMs = 5_000

export function createTroubles(deps: Pick<ActionDeps, 'clock' | 'random' | 'observe' | 'maxHeld'>, options: TroublesOptions): Troubles {
  const { clock, random, maxHeld } = deps
  const { action, pattern } = options
  const isTemplated = pattern !== undefined
  /** In the order of their last use. */
  const troubles = new Map<string, Trouble>()
  const conditions = new Map<string, Condition>()
  const outstanding = new Map<string, number>()
  /** Outstanding for targets whose own failures keep them waiting. */
  let held = 0
  /** Of the endpoint, in a row. */
  let failures = 0
  let lastCause: unknown
  let isEndpointAway = false
  let awayEndedAt = -Infinity
  let lastSuccessAt = -Infinity

  const conditionOf = (rule: string, name: string): Condition => {
    const key = `${rule} ${name}`
    const known = conditions.get(key)
    if (known) return known
    const condition = createCondition(deps, { rule, action, target: name })
    conditions.set(key, condition)
    return condition
  }

  const create = (target: string, { rule }: Delivery, error: GatewayError): Trouble => {
    const condition = isTemplated ? undefined : conditionOf(rule, targetName(target))
    const breaker = createBreaker({
      clock,
      random,
      threshold: isTemplated && isOfTarget(error) ? 1 : failuresToOpen,
      backoff: probeBackoff,
      onOpen() {
        trouble.openedAt = clock.monotonic()
        condition?.raise({ code: trouble.error.code })
      },
      onClose: () => condition?.clear(),
    })
    const now = clock.monotonic()
    const trouble: Trouble = { breaker, error, since: now, openedAt: undefined, usedAt: now, isGivenUp: false, retryAt: now }
    forgetIdle(now)
    troubles.set(target, trouble)
    if (isOfTarget(error)) held += outstanding.get(target) ?? 0
    return trouble
  }

  const remove = (target: string, trouble: Trouble) => {
    troubles.delete(target)
    if (isOfTarget(trouble.error)) held -= outstanding.get(target) ?? 0
  }

  /** The oldest come first, so this looks at few. */
  const forgetIdle = (now: number) => {
    if (!isTemplated) return
    for (const [target, trouble] of troubles) {
      if (troubles.size <= maxIdle && now - trouble.usedAt < idleMs) return
      if (!outstanding.has(target)) remove(target, trouble)
    }
  }

  const setError = (target: string, trouble: Trouble, error: GatewayError) => {
    const before = isOfTarget(trouble.error)
    const after = isOfTarget(error)
    trouble.error = error
    if (before !== after) held += (after ? 1 : -1) * (outstanding.get(target) ?? 0)
  }

  const use = (target: string, trouble: Trouble) => {
    trouble.usedAt = clock.monotonic()
    troubles.delete(target)
    troubles.set(target, trouble)
  }

  const endpointFailed = (rule: string, error: GatewayError) => {
    if (error !== lastCause) failures++
    lastCause = error
    if (isEndpointAway || failures < failuresToOpen) return
    isEndpointAway = true
    for (const trouble of troubles.values()) if (!isOfTarget(trouble.error)) trouble.isGivenUp = false
    conditionOf(rule, pattern!).raise({ code: error.code })
  }

  const endpointAnswered = () => {
    failures = 0
    if (!isEndpointAway) return
    isEndpointAway = false
    awayEndedAt = clock.monotonic()
    for (const condition of conditions.values()) condition.clear()
  }

  /** The failures are of this target, and not of the endpoint that it shares with others. */
  const isItsOwn = ({ error, openedAt }: Trouble) =>
    !isEndpointAway && (isOfTarget(error) || (openedAt !== undefined && lastSuccessAt > openedAt))

  const refuses = (trouble: Trouble) => {
    if (!isTemplated || !isItsOwn(trouble)) return false
    if (trouble.isGivenUp) return clock.monotonic() < trouble.retryAt
    return isOfTarget(trouble.error) && held > maxHeld
  }

  const giveUp = (trouble: Trouble) => {
    trouble.isGivenUp = true
    trouble.retryAt = clock.monotonic() + retryMs
    trouble.breaker.giveUp(trouble.error)
  }

  return {
    get: (target) => troubles.get(target),
    isCalm: () => troubles.size === 0 && failures === 0,
    failed(target, delivery, error, probe) {
      if (isTemplated) {
        if (isOfTarget(error)) endpointAnswered()
        else endpointFailed(delivery.rule, error)
      }
      const trouble = troubles.get(target) ?? create(target, delivery, error)
      setError(target, trouble, error)
      use(target, trouble)
      trouble.breaker.failed(probe, error)
      if (!isTemplated || !isItsOwn(trouble)) {
        trouble.isGivenUp = false
        return true
      }
      const since = Math.max(trouble.since, isOfTarget(error) ? -Infinity : awayEndedAt)
      if (clock.monotonic() - since >= patienceMs) giveUp(trouble)
      return !trouble.isGivenUp && !refuses(trouble)
    },
    succeeded(target) {
      if (isTemplated) {
        lastSuccessAt = clock.monotonic()
        endpointAnswered()
      }
      const trouble = troubles.get(target)
      if (!trouble) return
      trouble.breaker.succeeded()
      remove(target, trouble)
    },
    refuses,
    tries(trouble) {
      if (trouble.isGivenUp) trouble.retryAt = clock.monotonic() + retryMs
      return trouble.isGivenUp
    },
    entered(target) {
      outstanding.set(target, (outstanding.get(target) ?? 0) + 1)
      const trouble = troubles.size > 0 ? troubles.get(target) : undefined
      if (trouble && isOfTarget(trouble.error)) held++
    },
    left(target) {
      const before = outstanding.get(target)!
      if (before === 1) outstanding.delete(target)
      else outstanding.set(target, before - 1)
      const trouble = troubles.size > 0 ? troubles.get(target) : undefined
      if (trouble && isOfTarget(trouble.error)) held--
      if (trouble && before === 1) forgetIdle(clock.monotonic())
    },
    waits(target) {
      const trouble = troubles.size > 0 ? troubles.get(target) : undefined
      return trouble !== undefined && !isOfTarget(trouble.error) && !trouble.isGivenUp
    },
    isAway() {
      if (isTemplated) return isEndpointAway
      for (const { breaker } of troubles.values()) if (breaker.open) return true
      return false
    },
    get size() {
      return troubles.size
    },
  }
}

/** The endpoint answered, and spoke of the one target: it does not exist, or its permissions or keys are at fault. */
function isOfTarget({ code, details }: GatewayError): boolean {
  return typeof details.ofTarget === 'boolean' ? details.ofTarget : code === 'ACTION_TARGET_MISSING'
}
