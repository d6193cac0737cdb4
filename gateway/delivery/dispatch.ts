// One message through its rules: evaluates each rule, delivers to its outlets, and combines the results.
import { type ActionRef, type Delivery, type DeliveryResult, type Sink, toGatewayError, toPromise } from '../actions/action.ts'
import { type Failure, toErrorEnvelope } from '../actions/error-action.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Body } from '../message/body.ts'
import type { Message } from '../message/message.ts'
import type { Fields } from '../observe/events.ts'
import type { Observe } from '../observe/observe.ts'
import type { Rule, RuleSet } from '../rules/rule-set.ts'
import { createScope, type Environment, type Scope } from '../rules/sql/scope.ts'
import type { Outcome } from '../spool/spool.ts'
import { indexOf } from './parked-names.ts'

/** `left`: the signal aborted first, and the message still belongs to the caller. */
export type Fate = Outcome | 'left'

type Finish = (fate: Fate) => void

/**
 * Calls back once, when every action has accepted the message, parked it or failed for good. When no rule matches, it calls back
 * before it returns. Outlets get messages in the order of the calls: `deliver` is called before this returns.
 * `ref`: the message was parked for this action, and goes there only. If the rule lacks the action, the message is `unmatched`.
 */
export type Dispatch = (message: Message, ruleSet: RuleSet, signal: AbortSignal, finish: Finish, ref?: ActionRef) => void

export interface DispatchOptions {
  readonly observe: Observe
  readonly environment: Environment
  /** Deliveries to error actions that may wait for targets that do not answer. */
  readonly maxHeld?: number
}

const basicIngest = '$aws/rules/'

export function createDispatch(options: DispatchOptions): Dispatch {
  const dispatcher = new Dispatcher(options)
  return (message, ruleSet, signal, finish, ref) => {
    if (ref) dispatcher.dispatchParked(message, ruleSet, signal, finish, ref)
    else dispatcher.dispatch(message, ruleSet, signal, finish)
  }
}

class Dispatcher {
  readonly #observe: Observe
  readonly #environment: Environment
  readonly #maxHeld: number
  readonly #plans = new Plans()
  /** Deliveries to error actions in flight. */
  #errorsHeld = 0

  constructor({ observe, environment, maxHeld = Infinity }: DispatchOptions) {
    this.#observe = observe
    this.#environment = environment
    this.#maxHeld = maxHeld
  }

  dispatch(message: Message, ruleSet: RuleSet, signal: AbortSignal, finish: Finish) {
    const rules = rulesFor(message, ruleSet, this.#observe)
    if (rules.length === 0) return finish('unmatched')
    const scope = createScope(message, this.#environment)
    if (rules.length === 1) return this.#runRule(rules[0]!, scope, signal, finish)
    const fates: Fate[] = []
    const gather = (fate: Fate) => {
      if (fates.push(fate) === rules.length) finish(worstOf(fates))
    }
    for (const rule of rules) this.#runRule(rule, scope, signal, gather)
  }

  dispatchParked(message: Message, ruleSet: RuleSet, signal: AbortSignal, finish: Finish, ref: ActionRef) {
    const rule = ruleSet.named(ref.rule)
    const index = rule ? indexOf(rule, ref) : -1
    if (!rule || index < 0) return finish('unmatched')
    const scope = createScope(message, this.#environment)
    const body = this.#evaluate(rule, scope, finish)
    if (body === undefined) return
    this.#deliverOne(rule, index, this.#deliveryOf(rule, index, scope, body), signal, finish, true)
  }

  #runRule(rule: Rule, scope: Scope, signal: AbortSignal, finish: Finish): void {
    const body = this.#evaluate(rule, scope, finish)
    if (body === undefined) return
    this.#observe.record('rule.matched', this.#plans.of(rule).matched)
    const delivery = this.#deliveryOf(rule, 0, scope, body)
    if (rule.outlets.length === 1) this.#deliverOne(rule, 0, delivery, signal, finish, false)
    else void this.#deliverAll(rule, delivery, signal).then(finish)
  }

  /** Returns undefined when there is nothing to deliver; the rule has then its fate. */
  #evaluate(rule: Rule, scope: Scope, finish: Finish): Body | undefined {
    try {
      const body = rule.evaluate(scope)
      if (body === undefined) finish('unmatched')
      return body
    } catch (error) {
      const { id: messageId } = scope.message
      this.#observe.record('rule.failed', { rule: rule.name, code: codeOf(error, 'RULE_FAILED'), messageId, detail: textOf(error) })
      finish('dead')
      return undefined
    }
  }

  #deliveryOf(rule: Rule, index: number, scope: Scope, body: Body): Delivery {
    const { message } = scope
    const keyEnd = this.#plans.of(rule).parts[index]?.keyEnd ?? ''
    return { message, rule: rule.name, body, scope, key: message.id + keyEnd }
  }

  /** The usual case: no promise and no array. */
  #deliverOne(rule: Rule, index: number, delivery: Delivery, signal: AbortSignal, finish: Finish, isParked: boolean): void {
    const outlet = rule.outlets[index]!
    const { delivered } = this.#plans.of(rule).parts[index]!
    const done = (result: DeliveryResult) => {
      if (result === 'accepted') {
        this.#observe.record('action.delivered', delivered)
        finish('delivered')
      } else if (result === 'moved') finish(result)
      else if (signal.aborted) finish('left')
      else void this.#giveUp(rule, delivery, [this.#failed(rule, outlet, delivery.message, result)], signal).then(finish)
    }
    try {
      if (isParked) outlet.deliverParked(delivery, signal, done)
      else outlet.deliver(delivery, signal, done)
    } catch (error) {
      done(toGatewayError(error, signal))
    }
  }

  async #deliverAll(rule: Rule, delivery: Delivery, signal: AbortSignal): Promise<Fate> {
    const { message } = delivery
    const { parts } = this.#plans.of(rule)
    const results = await Promise.all(
      rule.outlets.map((outlet, index) => {
        const own = { ...delivery, key: message.id + parts[index]!.keyEnd }
        return toPromise((done) => outlet.deliver(own, signal, done)).catch((error) => toGatewayError(error, signal))
      }),
    )
    if (signal.aborted && results.some(isError)) return 'left'
    for (const [index, result] of results.entries()) {
      if (result === 'accepted') this.#observe.record('action.delivered', parts[index]!.delivered)
    }
    const failures = results.flatMap((result, index) =>
      isError(result) ? [this.#failed(rule, rule.outlets[index]!, message, result)] : [],
    )
    if (failures.length > 0) return this.#giveUp(rule, delivery, failures, signal)
    return results.length > 0 && results.every((result) => result === 'moved') ? 'moved' : 'delivered'
  }

  #failed(rule: Rule, { action }: Sink, { id, topic }: Message, error: GatewayError): Failure {
    const about = { rule: rule.name, action, code: error.code, messageId: id, topic, detail: textOf(error) }
    this.#observe.record('action.failed', { ...about, ...targetOf(error) })
    return { action, error }
  }

  async #giveUp(rule: Rule, delivery: Delivery, failures: readonly Failure[], signal: AbortSignal): Promise<Fate> {
    const { message } = delivery
    const { errorSink } = rule
    if (!errorSink) return this.#dead(rule, message, failures[0]!.error.code)
    // Devices can make messages fail, so messages that wait for an error action must not fill the limit of messages in flight.
    if (this.#errorsHeld >= this.#maxHeld && errorSink.isUnavailable?.()) {
      const text = `the target of the error action does not answer, and ${this.#errorsHeld} messages wait for it`
      const { error } = this.#failed(rule, errorSink, message, new GatewayError('ACTION_FAILED', text))
      return this.#dead(rule, message, error.code)
    }
    const envelope = { ...delivery, body: toErrorEnvelope(rule.name, message, failures), key: `${message.id}.${rule.name}.error` }
    this.#errorsHeld++
    try {
      await toPromise((done) => errorSink.deliver(envelope, signal, done))
      this.#observe.record('action.delivered', { rule: rule.name, action: errorSink.action })
      return this.#dead(rule, message, 'ERROR_ACTION')
    } catch (error) {
      return signal.aborted ? 'left' : this.#dead(rule, message, toGatewayError(error).code)
    } finally {
      this.#errorsHeld--
    }
  }

  #dead(rule: Rule, { id, topic }: Message, code: string): Fate {
    this.#observe.record('message.dead', { rule: rule.name, code, messageId: id, topic })
    return 'dead'
  }
}

/** What is the same for every message of a rule. */
interface Plan {
  readonly matched: Fields
  readonly parts: readonly {
    /** The key of a delivery is the id of its message followed by this. */
    readonly keyEnd: string
    readonly delivered: Fields
  }[]
}

class Plans {
  readonly #byRule = new WeakMap<Rule, Plan>()
  #lastRule: Rule | undefined
  #lastPlan: Plan | undefined

  of(rule: Rule): Plan {
    if (rule !== this.#lastRule || !this.#lastPlan) {
      this.#lastPlan = this.#byRule.get(rule) ?? this.#create(rule)
      this.#lastRule = rule
    }
    return this.#lastPlan
  }

  #create(rule: Rule): Plan {
    const { name, outlets } = rule
    const parts = outlets.map(({ action }, index) => ({ keyEnd: `.${name}.${index}`, delivered: Object.freeze({ rule: name, action }) }))
    const plan = { matched: Object.freeze({ rule: name }), parts }
    this.#byRule.set(rule, plan)
    return plan
  }
}

function isError(result: DeliveryResult): result is GatewayError {
  return typeof result !== 'string'
}

/** By weight: one rule's failure is the message's. A rule that does not match has no weight. */
const byWeight = ['left', 'dead', 'delivered', 'moved'] as const

function worstOf(fates: readonly Fate[]): Fate {
  return byWeight.find((fate) => fates.includes(fate)) ?? 'unmatched'
}

/** The target of the delivery, for the log. The host stays in the log: it is not for readers of error actions. */
function targetOf({ details: { host, target = host } }: GatewayError): { readonly target?: string } {
  return typeof target === 'string' ? { target } : {}
}

/** `$aws/rules/<name>/…` goes to that rule only, whatever its FROM covers [AWS iot-basic-ingest]. */
function rulesFor({ id, topic }: Message, ruleSet: RuleSet, observe: Observe): readonly Rule[] {
  if (!topic.startsWith(basicIngest)) return ruleSet.match(topic)
  const name = topic.slice(basicIngest.length).split('/', 1)[0]!
  const rule = ruleSet.named(name)
  if (!rule) observe.record('rule.failed', { rule: '', code: 'RULE_NOT_FOUND', messageId: id, topic })
  return rule ? [rule] : []
}
