// One message through its rules: evaluate, deliver to every action, and tell what became of it.
import type { Delivery, Sink } from '../actions/action.ts'
import { type Failure, toErrorEnvelope } from '../actions/error-action.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Message } from '../message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Rule, RuleSet } from './rule-set.ts'
import { createScope, type Environment, type Scope } from './sql/scope.ts'

export type Outcome = 'delivered' | 'unmatched' | 'dead'

/**
 * Resolves when every action has accepted or failed for good. Rejects only when the signal aborts: the message is then still the caller's.
 * The actions see messages in the order of the calls: everything up to their `deliver` happens before this returns.
 */
export type Dispatch = (message: Message, ruleSet: RuleSet, signal: AbortSignal) => Outcome | Promise<Outcome>

const basicIngest = '$aws/rules/'

export function createDispatch({ observe, environment }: { readonly observe: Observe; readonly environment: Environment }): Dispatch {
  const runRule = (rule: Rule, scope: Scope, message: Message, signal: AbortSignal): Outcome | Promise<Outcome> => {
    let body: Uint8Array | undefined
    try {
      body = rule.evaluate(scope)
    } catch (error) {
      observe.record('rule.failed', { rule: rule.name, code: codeOf(error, 'RULE_FAILED'), messageId: message.id, detail: textOf(error) })
      return 'dead'
    }
    if (body === undefined) return 'unmatched'
    observe.record('rule.matched', { rule: rule.name })
    const { sinks } = rule
    if (sinks.length === 1) return deliverOne(rule, { message, rule: rule.name, body, scope, key: keyOf(message, rule, 0) }, signal)
    return deliverAll(rule, { message, rule: rule.name, body, scope, key: '' }, signal)
  }

  /** What nearly every message needs, with one promise and no array. */
  const deliverOne = (rule: Rule, delivery: Delivery, signal: AbortSignal): Promise<Outcome> => {
    const sink = rule.sinks[0]!
    return attempt(sink, delivery, signal).then(
      () => {
        delivered(rule, sink)
        return 'delivered'
      },
      (error) => {
        signal.throwIfAborted()
        return giveUp(rule, delivery, [failed(rule, sink, delivery.message, error)], signal)
      },
    )
  }

  const deliverAll = async (rule: Rule, delivery: Delivery, signal: AbortSignal): Promise<Outcome> => {
    const { message } = delivery
    const results = await Promise.allSettled(
      rule.sinks.map((sink, index) => attempt(sink, { ...delivery, key: keyOf(message, rule, index) }, signal)),
    )
    if (results.some(({ status }) => status === 'rejected')) signal.throwIfAborted()
    const failures: Failure[] = []
    for (const [index, result] of results.entries()) {
      const sink = rule.sinks[index]!
      if (result.status === 'fulfilled') delivered(rule, sink)
      else failures.push(failed(rule, sink, message, result.reason))
    }
    return failures.length === 0 ? 'delivered' : giveUp(rule, delivery, failures, signal)
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

  return (message, ruleSet, signal) => {
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
  return outcomes.includes('delivered') ? 'delivered' : 'unmatched'
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
