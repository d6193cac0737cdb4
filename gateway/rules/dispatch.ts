// One message through its rules: evaluate, deliver to every action, and tell what became of it.
import type { Delivery, Sink } from '../actions/action.ts'
import { type Failure, toErrorEnvelope } from '../actions/error-action.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Message } from '../message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Rule, RuleSet } from './rule-set.ts'
import { createScope, type Environment, type Scope } from './sql/scope.ts'

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
  takes(message: Message, sink: Sink): boolean
  /** Resolves in the order of the calls. Rejects only when the signal aborts. */
  park(message: Message, signal: AbortSignal): Promise<Parked>
  /** What the target holds, in bytes of payload. */
  enter(bytes: number): void
  leave(bytes: number): void
}

/**
 * Resolves when every action has accepted or failed for good. Rejects only when the signal aborts: the message is then still the caller's.
 * The actions see messages in the order of the calls: everything up to their `deliver` happens before this returns.
 * `only`: all that is left of a message that was moved; where that action is not there any more, nobody wants the message.
 */
export type Dispatch = (message: Message, ruleSet: RuleSet, signal: AbortSignal, only?: Part) => Outcome | Promise<Outcome>

export interface DispatchOptions {
  readonly observe: Observe
  readonly environment: Environment
  readonly overflow?: Overflow
}

const basicIngest = '$aws/rules/'

export function createDispatch({ observe, environment, overflow }: DispatchOptions): Dispatch {
  const runRule = (rule: Rule, scope: Scope, message: Message, signal: AbortSignal, only?: number): Outcome | Promise<Outcome> => {
    let body: Uint8Array | undefined
    try {
      body = rule.evaluate(scope)
    } catch (error) {
      observe.record('rule.failed', { rule: rule.name, code: codeOf(error, 'RULE_FAILED'), messageId: message.id, detail: textOf(error) })
      return 'dead'
    }
    if (body === undefined) return 'unmatched'
    const delivery = { message, rule: rule.name, body, scope, key: keyOf(message, rule, only ?? 0) }
    if (only !== undefined) return deliverOne(rule, only, delivery, signal)
    observe.record('rule.matched', { rule: rule.name })
    if (rule.sinks.length !== 1) return deliverAll(rule, delivery, signal)
    const lane = overflow?.laneOf(rule, 0)
    if (!lane?.takes(message, rule.sinks[0]!)) return deliverOne(rule, 0, delivery, signal, lane)
    return lane.park(message, signal).then((how) => (how === 'go' ? deliverOne(rule, 0, delivery, signal, lane) : how))
  }

  /** What nearly every message needs, with one promise and no array. */
  const deliverOne = (rule: Rule, index: number, delivery: Delivery, signal: AbortSignal, lane?: Lane): Promise<Outcome> => {
    const sink = rule.sinks[index]!
    const { length } = delivery.message.payload
    lane?.enter(length)
    return attempt(sink, delivery, signal).then(
      () => {
        lane?.leave(length)
        delivered(rule, sink)
        return 'delivered'
      },
      (error) => {
        lane?.leave(length)
        signal.throwIfAborted()
        return giveUp(rule, delivery, [failed(rule, sink, delivery.message, error)], signal)
      },
    )
  }

  const deliverAll = async (rule: Rule, delivery: Delivery, signal: AbortSignal): Promise<Outcome> => {
    const { message } = delivery
    const results = await Promise.allSettled(
      rule.sinks.map(async (sink, index) => {
        const lane = overflow?.laneOf(rule, index)
        if (lane?.takes(message, sink) && (await lane.park(message, signal)) === 'moved') return 'moved'
        lane?.enter(message.payload.length)
        await attempt(sink, { ...delivery, key: keyOf(message, rule, index) }, signal).finally(() => lane?.leave(message.payload.length))
        return 'accepted'
      }),
    )
    if (results.some(({ status }) => status === 'rejected')) signal.throwIfAborted()
    const failures: Failure[] = []
    let moved = 0
    for (const [index, result] of results.entries()) {
      const sink = rule.sinks[index]!
      if (result.status === 'rejected') failures.push(failed(rule, sink, message, result.reason))
      else if (result.value === 'moved') moved++
      else delivered(rule, sink)
    }
    if (failures.length > 0) return giveUp(rule, delivery, failures, signal)
    return moved > 0 && moved === results.length ? 'moved' : 'delivered'
  }

  const delivered = (rule: Rule, { action }: Sink) => observe.record('action.delivered', { rule: rule.name, action })

  const failed = (rule: Rule, { action }: Sink, { id, topic }: Message, error: unknown): Failure => {
    const code = codeOf(error, 'ACTION_FAILED')
    observe.record('action.failed', { rule: rule.name, action, code, messageId: id, topic, detail: textOf(error), ...targetOf(error) })
    return { action, error }
  }

  const giveUp = async (rule: Rule, delivery: Delivery, failures: readonly Failure[], signal: AbortSignal): Promise<Outcome> => {
    await runErrorAction(rule, delivery, failures, signal)
    return 'dead'
  }

  const runErrorAction = async (rule: Rule, delivery: Delivery, failures: readonly Failure[], signal: AbortSignal) => {
    const { message } = delivery
    const lost = (code: string) => observe.record('message.dead', { rule: rule.name, code, messageId: message.id, topic: message.topic })
    if (!rule.errorSink) return lost(codeOf(failures[0]?.error, 'ACTION_FAILED'))
    const body = toErrorEnvelope(rule.name, message, failures)
    try {
      await rule.errorSink.deliver({ ...delivery, body, key: `${message.id}.${rule.name}.error` }, signal)
      observe.record('action.delivered', { rule: rule.name, action: rule.errorSink.action })
      lost('ERROR_ACTION')
    } catch (error) {
      signal.throwIfAborted()
      lost(codeOf(error, 'ACTION_FAILED'))
    }
  }

  return (message, ruleSet, signal, only) => {
    if (only) {
      const rule = ruleSet.named(only.rule)
      return rule?.sinks[only.action] ? runRule(rule, createScope(message, environment), message, signal, only.action) : 'unmatched'
    }
    const rules = rulesFor(message, ruleSet, observe)
    if (rules.length === 0) return 'unmatched'
    const scope = createScope(message, environment)
    if (rules.length === 1) return runRule(rules[0]!, scope, message, signal)
    const outcomes = rules.map((rule) => runRule(rule, scope, message, signal))
    return outcomes.every((outcome) => typeof outcome === 'string') ? worstOf(outcomes) : Promise.all(outcomes).then(worstOf)
  }
}

/** One rule's failure is the message's; a rule that did not want it says nothing. */
function worstOf(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes('dead')) return 'dead'
  if (outcomes.includes('delivered')) return 'delivered'
  return outcomes.includes('moved') ? 'moved' : 'unmatched'
}

function keyOf({ id }: Message, { name }: Rule, index: number): string {
  return `${id}.${name}.${index}`
}

/** Where it was to go, for the log: a host is nothing for whoever reads the error action. */
function targetOf(error: unknown): { readonly target?: string } {
  if (!(error instanceof GatewayError)) return {}
  const { host, target = host } = error.details
  return typeof target === 'string' ? { target } : {}
}

/** A sink that throws instead of rejecting is treated alike. */
function attempt(sink: Sink, delivery: Delivery, signal: AbortSignal): Promise<void> {
  try {
    return sink.deliver(delivery, signal)
  } catch (error) {
    return Promise.reject(error)
  }
}

/** `$aws/rules/<name>/…` goes to that rule alone, whatever its FROM says [AWS iot-basic-ingest]. */
function rulesFor({ id, topic }: Message, ruleSet: RuleSet, observe: Observe): readonly Rule[] {
  if (!topic.startsWith(basicIngest)) return ruleSet.match(topic)
  const name = topic.slice(basicIngest.length).split('/', 1)[0]!
  const rule = ruleSet.named(name)
  if (!rule) observe.record('rule.failed', { rule: '', code: 'RULE_NOT_FOUND', messageId: id, topic })
  return rule ? [rule] : []
}
