// One message through its rules: evaluate, deliver to every action, and tell what became of it.
import { type Delivery, type Sink, told } from '../actions/action.ts'
import { type Failure, toErrorEnvelope } from '../actions/error-action.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Body } from '../message/body.ts'
import type { Message } from '../message/message.ts'
import type { Fields } from '../observe/events.ts'
import type { Observe } from '../observe/observe.ts'
import type { Rule, RuleSet } from '../rules/rule-set.ts'
import { createScope, type Environment, type Scope } from '../rules/sql/scope.ts'

/** `moved`: what is left to do for the message waits in the overflow. */
export type Outcome = 'delivered' | 'unmatched' | 'dead' | 'moved'

/** One action of one rule. */
export interface Part {
  readonly rule: string
  readonly action: number
}

/** Takes messages out of the way of others while their target is away. */
export interface Overflow {
  laneOf(rule: Rule, action: number): Lane
}

/** `moved`: on disk, behind those parked before. `go`: nothing waits any more, so deliver it now. */
export type Parked = 'moved' | 'go'

export interface Lane {
  /** true: the message must be parked, because its target holds too much already or others wait in front of it. */
  takes(delivery: Delivery, sink: Sink): boolean
  /** Resolves in the order of the calls. Rejects only when the signal aborts. */
  park(delivery: Delivery, signal: AbortSignal): Promise<Parked>
  /** The sink takes a message that was parked. */
  unpark(delivery: Delivery, sink: Sink): void
  /** What the target holds, in bytes of payload. */
  enter(bytes: number): void
  leave(bytes: number): void
}

/** `left`: the signal aborted first, and the message is still the caller's. */
export type Fate = Outcome | 'left'

type Settle = (fate: Fate) => void

/**
 * Calls back once, when every action has accepted or failed for good; for what no rule wants, before it returns.
 * The actions see messages in the order of the calls: everything up to their `deliver` happens before this returns.
 * `only`: all that is left of a message that was moved; where that action is not there any more, nobody wants the message.
 */
export type Dispatch = (message: Message, ruleSet: RuleSet, signal: AbortSignal, settle: Settle, only?: Part) => void

export interface DispatchOptions {
  readonly observe: Observe
  readonly environment: Environment
  /** Deliveries to error actions that may wait for targets that do not answer. */
  readonly maxHeld?: number
  readonly overflow?: Overflow
}

const basicIngest = '$aws/rules/'

/** What is the same for every message of a rule, found out once. */
interface Plan {
  readonly matched: Fields
  readonly parts: readonly {
    /** Behind the message's id it makes the delivery's key. */
    readonly keyEnd: string
    readonly delivered: Fields
    readonly lane: Lane | undefined
  }[]
}

export function createDispatch({ observe, environment, maxHeld = Infinity, overflow }: DispatchOptions): Dispatch {
  let errorsHeld = 0
  const plans = new WeakMap<Rule, Plan>()
  let lastRule: Rule | undefined
  let lastPlan: Plan | undefined
  const planOf = (rule: Rule): Plan => {
    if (rule !== lastRule || !lastPlan) lastPlan = plans.get(rule) ?? createPlan(rule)
    lastRule = rule
    return lastPlan
  }
  const createPlan = (rule: Rule): Plan => {
    const { name, sinks } = rule
    const parts = sinks.map(({ action }, index) => ({
      keyEnd: `.${name}.${index}`,
      delivered: Object.freeze({ rule: name, action }),
      lane: overflow?.laneOf(rule, index),
    }))
    const plan = { matched: Object.freeze({ rule: name }), parts }
    plans.set(rule, plan)
    return plan
  }

  const runRule = (rule: Rule, scope: Scope, message: Message, signal: AbortSignal, settle: Settle, only?: number) => {
    let body: Body | undefined
    try {
      body = rule.evaluate(scope)
    } catch (error) {
      observe.record('rule.failed', { rule: rule.name, code: codeOf(error, 'RULE_FAILED'), messageId: message.id, detail: textOf(error) })
      return settle('dead')
    }
    if (body === undefined) return settle('unmatched')
    const { matched, parts } = planOf(rule)
    const { keyEnd = '', lane } = parts[only ?? 0] ?? {}
    const delivery = { message, rule: rule.name, body, scope, key: message.id + keyEnd }
    if (only !== undefined) {
      lane?.unpark(delivery, rule.sinks[only]!)
      return deliverOne(rule, only, delivery, signal, settle)
    }
    observe.record('rule.matched', matched)
    if (rule.sinks.length !== 1) return void deliverAll(rule, delivery, signal).then(settle)
    if (!lane?.takes(delivery, rule.sinks[0]!)) return deliverOne(rule, 0, delivery, signal, settle, lane)
    lane.park(delivery, signal).then(
      (how) => (how === 'go' ? deliverOne(rule, 0, delivery, signal, settle, lane) : settle(how)),
      (error) => {
        settle('left')
        if (!signal.aborted) throw error
      },
    )
  }

  /** What nearly every message needs, without a promise and without an array. */
  const deliverOne = (rule: Rule, index: number, delivery: Delivery, signal: AbortSignal, settle: Settle, lane?: Lane): void => {
    const sink = rule.sinks[index]!
    const { delivered } = planOf(rule).parts[index]!
    const { length } = delivery.message.payload
    const done = (error?: unknown) => {
      lane?.leave(length)
      if (error !== undefined && signal.aborted) return settle('left')
      if (error !== undefined) return void giveUp(rule, delivery, [failed(rule, sink, delivery.message, error)], signal).then(settle)
      observe.record('action.delivered', delivered)
      settle('delivered')
    }
    lane?.enter(length)
    try {
      sink.deliver(delivery, signal, done)
    } catch (error) {
      done(error)
    }
  }

  const deliverAll = async (rule: Rule, delivery: Delivery, signal: AbortSignal): Promise<Fate> => {
    const { message } = delivery
    const { parts } = planOf(rule)
    const results = await Promise.allSettled(
      rule.sinks.map(async (sink, index) => {
        const { keyEnd, lane } = parts[index]!
        if (lane?.takes(delivery, sink) && (await lane.park(delivery, signal)) === 'moved') return 'moved'
        const own = { ...delivery, key: message.id + keyEnd }
        lane?.enter(message.payload.length)
        await told((done) => sink.deliver(own, signal, done)).finally(() => lane?.leave(message.payload.length))
        return 'accepted'
      }),
    )
    const errors = results.flatMap((result, index) => (result.status === 'rejected' ? [{ index, error: result.reason }] : []))
    if (errors.length > 0 && signal.aborted) return 'left'
    const moved = results.filter((result) => result.status === 'fulfilled' && result.value === 'moved').length
    for (const [index, result] of results.entries())
      if (result.status === 'fulfilled' && result.value === 'accepted') observe.record('action.delivered', parts[index]!.delivered)
    const failures = errors.map(({ index, error }) => failed(rule, rule.sinks[index]!, message, error))
    if (failures.length > 0) return giveUp(rule, delivery, failures, signal)
    return moved > 0 && moved === results.length ? 'moved' : 'delivered'
  }

  const failed = (rule: Rule, { action }: Sink, { id, topic }: Message, error: unknown): Failure => {
    const code = codeOf(error, 'ACTION_FAILED')
    observe.record('action.failed', { rule: rule.name, action, code, messageId: id, topic, detail: textOf(error), ...targetOf(error) })
    return { action, error }
  }

  const giveUp = async (rule: Rule, delivery: Delivery, failures: readonly Failure[], signal: AbortSignal): Promise<Fate> => {
    const { message } = delivery
    const dead = (code: string): Fate => {
      observe.record('message.dead', { rule: rule.name, code, messageId: message.id, topic: message.topic })
      return 'dead'
    }
    const { errorSink } = rule
    if (!errorSink) return dead(codeOf(failures[0]?.error, 'ACTION_FAILED'))
    // Devices can make messages fail, so what waits for an error action must not fill the slots of all messages.
    if (errorsHeld >= maxHeld && errorSink.isAway?.()) {
      const error = new GatewayError(
        'ACTION_FAILED',
        `the target of the error action does not answer, and ${errorsHeld} messages wait for it`,
      )
      failed(rule, errorSink, message, error)
      return dead(error.code)
    }
    const envelope = { ...delivery, body: toErrorEnvelope(rule.name, message, failures), key: `${message.id}.${rule.name}.error` }
    errorsHeld++
    try {
      await told((done) => errorSink.deliver(envelope, signal, done))
      observe.record('action.delivered', { rule: rule.name, action: errorSink.action })
      return dead('ERROR_ACTION')
    } catch (error) {
      return signal.aborted ? 'left' : dead(codeOf(error, 'ACTION_FAILED'))
    } finally {
      errorsHeld--
    }
  }

  return (message, ruleSet, signal, settle, only) => {
    if (only) {
      const rule = ruleSet.named(only.rule)
      if (!rule?.sinks[only.action]) return settle('unmatched')
      return runRule(rule, createScope(message, environment), message, signal, settle, only.action)
    }
    const rules = rulesFor(message, ruleSet, observe)
    if (rules.length === 0) return settle('unmatched')
    const scope = createScope(message, environment)
    if (rules.length === 1) return runRule(rules[0]!, scope, message, signal, settle)
    const fates: Fate[] = []
    const gather = (fate: Fate) => {
      if (fates.push(fate) === rules.length) settle(worstOf(fates))
    }
    for (const rule of rules) runRule(rule, scope, message, signal, gather)
  }
}

/** In this order: one rule's failure is the message's; a rule that did not want it says nothing. */
const byWeight = ['left', 'dead', 'delivered', 'moved'] as const

function worstOf(fates: readonly Fate[]): Fate {
  return byWeight.find((fate) => fates.includes(fate)) ?? 'unmatched'
}

/** Where it was to go, for the log: a host is nothing for whoever reads the error action. */
function targetOf(error: unknown): { readonly target?: string } {
  if (!(error instanceof GatewayError)) return {}
  const { host, target = host } = error.details
  return typeof target === 'string' ? { target } : {}
}

/** `$aws/rules/<name>/…` goes to that rule alone, whatever its FROM says [AWS iot-basic-ingest]. */
function rulesFor({ id, topic }: Message, ruleSet: RuleSet, observe: Observe): readonly Rule[] {
  if (!topic.startsWith(basicIngest)) return ruleSet.match(topic)
  const name = topic.slice(basicIngest.length).split('/', 1)[0]!
  const rule = ruleSet.named(name)
  if (!rule) observe.record('rule.failed', { rule: '', code: 'RULE_NOT_FOUND', messageId: id, topic })
  return rule ? [rule] : []
}
