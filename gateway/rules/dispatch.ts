// One message through its rules: evaluate, deliver to every action, and tell what became of it.
import type { Delivery, Sink } from '../actions/action.ts'
import { type Failure, toErrorEnvelope } from '../actions/error-action.ts'
import { codeOf, textOf } from '../errors.ts'
import type { Message } from '../message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Rule, RuleSet } from './rule-set.ts'
import { createScope, type Environment, type Scope } from './sql/scope.ts'

export type Outcome = 'delivered' | 'unmatched' | 'dead'

/**
 * Resolves when every action has accepted or failed for good. Rejects only when the signal aborts: the message is then still the caller's.
 * The actions see messages in the order of the calls: everything up to their `deliver` happens before this returns.
 */
export type Dispatch = (message: Message, ruleSet: RuleSet, signal: AbortSignal) => Promise<Outcome>

const basicIngest = '$aws/rules/'
const parallelReplies: readonly Promise<Outcome>[] = []

export function createDispatch({ observe, environment }: { readonly observe: Observe; readonly environment: Environment }): Dispatch {
  const runRule = (rule: Rule, scope: Scope, message: Message, signal: AbortSignal): Promise<Outcome> | undefined => {
    let body: Uint8Array | undefined
    try {
      body = rule.evaluate(scope)
    } catch (error) {
      observe.record('rule.failed', { rule: rule.name, code: codeOf(error, 'RULE_FAILED'), messageId: message.id, detail: textOf(error) })
      return Promise.resolve('dead')
    }
    if (body === undefined) return undefined
    observe.record('rule.matched', { rule: rule.name })
    return deliverAll(rule, { message, rule: rule.name, body, scope, key: '' }, signal)
  }

  const deliverAll = async (rule: Rule, delivery: Delivery, signal: AbortSignal): Promise<Outcome> => {
    const keyed = rule.sinks.map((_, index) => ({ ...delivery, key: `${delivery.message.id}.${rule.name}.${index}` }))
    const results = await Promise.allSettled(rule.sinks.map((sink, index) => sink.deliver(keyed[index]!, signal)))
    signal.aborted && results.some(({ status }) => status === 'rejected') && signal.throwIfAborted()
    const failures = results.flatMap((result, index) => failureOf(rule, rule.sinks[index]!, delivery.message, result))
    if (failures.length === 0) return 'delivered'
    await runErrorAction(rule, delivery, failures, signal)
    return 'dead'
  }

  const failureOf = (rule: Rule, sink: Sink, message: Message, result: PromiseSettledResult<void>): readonly Failure[] => {
    const labels = { rule: rule.name, action: sink.action }
    if (result.status === 'fulfilled') {
      observe.record('action.delivered', labels)
      return []
    }
    const code = codeOf(result.reason, 'ACTION_FAILED')
    observe.record('action.failed', { ...labels, code, messageId: message.id, topic: message.topic, detail: textOf(result.reason) })
    return [{ action: sink.action, error: result.reason }]
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

  return async (message, ruleSet, signal) => {
    const scope = createScope(message, environment)
    const rules = rulesFor(message, ruleSet, observe)
    const running = rules.flatMap((rule) => runRule(rule, scope, message, signal) ?? parallelReplies)
    if (running.length === 0) return 'unmatched'
    const outcomes = await Promise.all(running)
    return outcomes.includes('dead') ? 'dead' : 'delivered'
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
