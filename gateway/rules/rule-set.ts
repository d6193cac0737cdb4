// The rules in use: found by topic, or by name for Basic Ingest. Built whole and swapped whole, never edited.
import type { Outlet, Sink } from '../actions/action.ts'
import type { Body } from '../message/body.ts'
import type { Scope } from './sql/scope.ts'
import { createTopicTree } from './topic/tree.ts'

export interface Rule {
  readonly name: string
  /** Absent: only Basic Ingest reaches the rule. */
  readonly filter: string | undefined
  /** The body for every action, or undefined where the WHERE clause did not hold. */
  evaluate(scope: Scope): Body | undefined
  /** One for each action. */
  readonly outlets: readonly Outlet[]
  readonly errorSink?: Sink
  /** What is legal but probably a mistake, one sentence each. */
  readonly warnings: readonly string[]
}

export interface RuleSet {
  readonly rules: readonly Rule[]
  /** Every rule whose FROM covers the topic. */
  match(topic: string): readonly Rule[]
  named(name: string): Rule | undefined
  /** Lets every outlet finish the deliveries that it was given. */
  stop(): Promise<void>
}

export function createRuleSet(rules: readonly Rule[]): RuleSet {
  const tree = createTopicTree<Rule>()
  const byName = new Map(rules.map((rule) => [rule.name, rule]))
  for (const rule of rules) if (rule.filter !== undefined) tree.add(rule.filter, rule)
  return {
    rules,
    match: (topic) => tree.match(topic),
    named: (name) => byName.get(name),
    async stop() {
      const sinks = rules.flatMap(({ outlets, errorSink }): readonly Sink[] => (errorSink ? [...outlets, errorSink] : outlets))
      await Promise.all(sinks.map((sink) => sink.stop?.()))
    },
  }
}
