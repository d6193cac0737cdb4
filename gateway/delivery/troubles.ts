// The targets of one action that do not accept: a breaker for each, and a limit on the messages that targets of a template may hold.
import type { Backoff } from '../../lib/backoff.ts'
import type { ActionDeps, BoundAction, Delivery } from '../actions/action.ts'
import { targetName } from '../actions/aws-errors.ts'
import type { GatewayError } from '../errors.ts'
import { type Condition, createCondition } from '../observe/condition.ts'
import { Breaker } from './breaker.ts'

/*
   Fixed target: every failure passes at some time, so messages wait for as long as it takes.

   Template, such as `telemetry-${topic(3)}`: messages name the targets. Devices can invent any number of names, so the error of a
   failure decides:
     of the target      The target does not exist, or its use is denied. The endpoint answers.
                        Messages wait for `patienceMs`. All such targets together hold at most `maxHeld` messages.
     of the endpoint    The endpoint does not answer. While no target accepts, all messages wait, as for a fixed target. A target that
                        fails for `patienceMs` while others accept is judged by itself.
     not known yet      At most `maxHeld` deliveries from the main spool try targets that have not accepted anything yet. Further ones
                        are parked, so targets that accept do not wait for answers about names that devices invent.
   Beyond these limits a delivery fails for good and goes to the error action. One delivery at a time still probes the target.
*/
export interface Trouble {
  readonly breaker: Breaker
  error: GatewayError
  /** The first failure, in monotonic milliseconds. */
  readonly since: number
  openedAt: number | undefined
  usedAt: number
  isGivenUp: boolean
  /** A target that was given up is tried again from this time on, in monotonic milliseconds. */
  retryAt: number
}

export interface TroublesDeps extends Pick<ActionDeps, 'clock' | 'random' | 'observe'> {
  /** Messages that the targets of one template may hold while they do not accept. */
  readonly maxHeld: number
}

export type TroublesOptions = Pick<BoundAction, 'action' | 'pattern'>

/** How long messages wait for a target of a template that does not accept while the endpoint answers. */
export const patienceMs = 10_000
/** Limits of the targets that are remembered while no message waits for them: their number, and their age. */
const maxIdle = 1_000
/** Targets of a template that are known to accept. */
const maxAccepting = 20_000
const idleMs = 60_000
const probeBackoff: Backoff = { baseMs: 500, capMs: 5_000 }
const failuresToOpen = 3
/** Between two attempts for a target that was given up. */
const retryMs = 5_000

export function createTroubles(deps: TroublesDeps, options: TroublesOptions): Troubles {
  return new Troubles(deps, options)
}

export class Troubles {
  readonly #deps: TroublesDeps
  readonly #action: string
  readonly #pattern: string | undefined
  readonly #isTemplated: boolean
  readonly #endpoint: Endpoint
  /** In the order of their last use. */
  readonly #troubles = new Map<string, Trouble>()
  readonly #conditions = new Map<string, Condition>()
  /** Deliveries without a result, by target. */
  readonly #outstanding = new Map<string, number>()
  /** Outstanding deliveries for targets that fail by themselves. */
  #held = 0
  /** Targets that accepted something, in the order of their first acceptance. */
  readonly #accepting = new Set<string>()
  /** Outstanding deliveries for targets of which it is not known yet whether they accept. */
  #untried = 0

  constructor(deps: TroublesDeps, { action, pattern }: TroublesOptions) {
    this.#deps = deps
    this.#action = action
    this.#pattern = pattern
    this.#isTemplated = pattern !== undefined
    this.#endpoint = new Endpoint(deps.clock)
  }

  /** Targets that are remembered. */
  get size(): number {
    return this.#troubles.size
  }

  get(target: string): Trouble | undefined {
    return this.#troubles.get(target)
  }

  /** No target is in trouble, so a success needs no `succeeded`. */
  isCalm(): boolean {
    return this.#troubles.size === 0 && this.#endpoint.failures === 0
  }

  /** Nothing is accepted at present. */
  isUnavailable(): boolean {
    if (this.#isTemplated) return this.#endpoint.isUnavailable
    for (const { breaker } of this.#troubles.values()) if (breaker.open) return true
    return false
  }

  /** Messages for the target wait: for the endpoint, however many they are, or until other untried targets have answered. */
  waits(target: string): boolean {
    if (this.#untried >= this.#deps.maxHeld && this.#isUntried(target)) return true
    const trouble = this.#troubles.size > 0 ? this.#troubles.get(target) : undefined
    return trouble !== undefined && !isOfTarget(trouble.error) && !trouble.isGivenUp
  }

  /** Returns false when the target is given up, and with it the delivery that failed. */
  failed(target: string, delivery: Delivery, error: GatewayError, probe: boolean): boolean {
    if (this.#isTemplated) {
      if (isOfTarget(error)) this.#endpointAnswered()
      else this.#endpointFailed(delivery.rule, error)
    }
    const trouble = this.#troubles.get(target) ?? this.#create(target, delivery, error)
    this.#setError(target, trouble, error)
    this.#use(target, trouble)
    trouble.breaker.failed(probe, error)
    if (!this.#isTemplated || !this.#isItsOwn(trouble)) {
      trouble.isGivenUp = false
      return true
    }
    const { clock } = this.#deps
    const since = Math.max(trouble.since, isOfTarget(error) ? -Infinity : this.#endpoint.recoveredAt)
    if (clock.monotonic() - since >= patienceMs) this.#giveUp(trouble)
    return !trouble.isGivenUp && !this.refuses(trouble)
  }

  succeeded(target: string): void {
    if (this.#isTemplated) {
      this.#endpoint.lastSuccessAt = this.#deps.clock.monotonic()
      this.#endpointAnswered()
    }
    const trouble = this.#troubles.get(target)
    if (!trouble) return
    trouble.breaker.succeeded()
    this.#remove(target, trouble)
  }

  /** true: a delivery for the target fails at once. */
  refuses(trouble: Trouble): boolean {
    if (!this.#isTemplated || !this.#isItsOwn(trouble)) return false
    if (trouble.isGivenUp) return this.#deps.clock.monotonic() < trouble.retryAt
    return isOfTarget(trouble.error) && this.#held > this.#deps.maxHeld
  }

  /** true: the target is given up, and this delivery tries it again without waiting. */
  tries(trouble: Trouble): boolean {
    if (trouble.isGivenUp) trouble.retryAt = this.#deps.clock.monotonic() + retryMs
    return trouble.isGivenUp
  }

  /** For templates: a delivery is outstanding from `entered` to `left`, including its wait for others of its group. */
  entered(target: string): void {
    if (this.#isUntried(target)) this.#untried++
    this.#outstanding.set(target, (this.#outstanding.get(target) ?? 0) + 1)
    const trouble = this.#troubles.size > 0 ? this.#troubles.get(target) : undefined
    if (trouble && isOfTarget(trouble.error)) this.#held++
  }

  left(target: string): void {
    if (this.#isUntried(target)) this.#untried--
    const before = this.#outstanding.get(target)!
    if (before === 1) this.#outstanding.delete(target)
    else this.#outstanding.set(target, before - 1)
    const trouble = this.#troubles.size > 0 ? this.#troubles.get(target) : undefined
    if (trouble && isOfTarget(trouble.error)) this.#held--
    if (trouble && before === 1) this.#forgetIdle(this.#deps.clock.monotonic())
  }

  /** For templates: the target accepted a delivery, which is still outstanding. */
  accepted(target: string): void {
    if (this.#accepting.has(target)) return
    if (this.#isUntried(target)) this.#untried -= this.#outstandingFor(target)
    this.#accepting.add(target)
    if (this.#accepting.size <= maxAccepting) return
    const [oldest] = this.#accepting
    this.#accepting.delete(oldest!)
    if (this.#isUntried(oldest!)) this.#untried += this.#outstandingFor(oldest!)
  }

  #isUntried(target: string): boolean {
    return !this.#accepting.has(target) && !this.#troubles.has(target)
  }

  #outstandingFor(target: string): number {
    return this.#outstanding.get(target) ?? 0
  }

  #create(target: string, { rule }: Delivery, error: GatewayError): Trouble {
    const { clock, random } = this.#deps
    const condition = this.#isTemplated ? undefined : this.#conditionOf(rule, targetName(target))
    const breaker = new Breaker({
      ...{ clock, random, backoff: probeBackoff, threshold: this.#isTemplated && isOfTarget(error) ? 1 : failuresToOpen },
      onOpen() {
        trouble.openedAt = clock.monotonic()
        condition?.raise({ code: trouble.error.code })
      },
      onClose: () => condition?.clear(),
    })
    const now = clock.monotonic()
    const trouble: Trouble = { breaker, error, since: now, openedAt: undefined, usedAt: now, isGivenUp: false, retryAt: now }
    this.#forgetIdle(now)
    if (this.#isUntried(target)) this.#untried -= this.#outstandingFor(target)
    this.#troubles.set(target, trouble)
    if (isOfTarget(error)) this.#held += this.#outstandingFor(target)
    return trouble
  }

  #conditionOf(rule: string, target: string): Condition {
    const key = `${rule} ${target}`
    const known = this.#conditions.get(key)
    if (known) return known
    const condition = createCondition(this.#deps, { rule, action: this.#action, target })
    this.#conditions.set(key, condition)
    return condition
  }

  #remove(target: string, trouble: Trouble): void {
    this.#troubles.delete(target)
    if (isOfTarget(trouble.error)) this.#held -= this.#outstandingFor(target)
    if (this.#isUntried(target)) this.#untried += this.#outstandingFor(target)
  }

  /** The oldest come first, so this looks at few. */
  #forgetIdle(now: number): void {
    if (!this.#isTemplated) return
    for (const [target, trouble] of this.#troubles) {
      if (this.#troubles.size <= maxIdle && now - trouble.usedAt < idleMs) return
      if (!this.#outstanding.has(target)) this.#remove(target, trouble)
    }
  }

  #setError(target: string, trouble: Trouble, error: GatewayError): void {
    const before = isOfTarget(trouble.error)
    const after = isOfTarget(error)
    trouble.error = error
    if (before !== after) this.#held += (after ? 1 : -1) * this.#outstandingFor(target)
  }

  #use(target: string, trouble: Trouble): void {
    trouble.usedAt = this.#deps.clock.monotonic()
    this.#troubles.delete(target)
    this.#troubles.set(target, trouble)
  }

  #giveUp(trouble: Trouble): void {
    trouble.isGivenUp = true
    trouble.retryAt = this.#deps.clock.monotonic() + retryMs
    trouble.breaker.giveUp(trouble.error)
  }

  #endpointFailed(rule: string, error: GatewayError): void {
    if (!this.#endpoint.failed(error)) return
    for (const trouble of this.#troubles.values()) if (!isOfTarget(trouble.error)) trouble.isGivenUp = false
    this.#conditionOf(rule, this.#pattern!).raise({ code: error.code })
  }

  #endpointAnswered(): void {
    if (this.#endpoint.answered()) for (const condition of this.#conditions.values()) condition.clear()
  }

  /** The failures are those of this target, not of the endpoint that it shares with others. */
  #isItsOwn({ error, openedAt }: Trouble): boolean {
    if (this.#endpoint.isUnavailable) return false
    return isOfTarget(error) || (openedAt !== undefined && this.#endpoint.lastSuccessAt > openedAt)
  }
}

/** The endpoint that all targets of a template share. Times are monotonic milliseconds. */
class Endpoint {
  readonly #clock: Pick<ActionDeps['clock'], 'monotonic'>
  #lastCause: unknown
  /** In a row. */
  failures = 0
  isUnavailable = false
  recoveredAt = -Infinity
  lastSuccessAt = -Infinity

  constructor(clock: Pick<ActionDeps['clock'], 'monotonic'>) {
    this.#clock = clock
  }

  /** Returns true when the endpoint becomes unavailable with this failure. Deliveries of one call fail with the same error, once. */
  failed(error: GatewayError): boolean {
    if (error !== this.#lastCause) this.failures++
    this.#lastCause = error
    if (this.isUnavailable || this.failures < failuresToOpen) return false
    this.isUnavailable = true
    return true
  }

  /** Returns true when the endpoint was unavailable. */
  answered(): boolean {
    this.failures = 0
    if (!this.isUnavailable) return false
    this.isUnavailable = false
    this.recoveredAt = this.#clock.monotonic()
    return true
  }
}

/** The error is of one target: it does not exist, or its permissions or keys are wrong. The endpoint answered. */
function isOfTarget({ code, details }: GatewayError): boolean {
  return typeof details.ofTarget === 'boolean' ? details.ofTarget : code === 'ACTION_TARGET_MISSING'
}
