// The rules in use: found by topic, or by name for Basic Ingest. Built whole and swapped whole, never edited.
import type { Sink } from '../actions/action.ts'
import type { Body } from '../message/body.ts'
import type { Scope } from './sql/scope.ts'
import { createTopicTree } from './topic/tree.ts'

export interface Rule {
  readonly name: string
  /** Absent: only Basic Ingest reaches the rule. */
  readonly filter: string | undefined
  /** The body for every action, or undefined where the WHERE clause did not hold. */
  evaluate(scope: Scope): Body | undefined
  readonly sinks: readonly Sink[]
  readonly errorSink?: Sink
  /** What is legal and hardly meant, one sentence each. */
  readonly warnings: readonly string[]
}

export interface RuleSet {
  readonly rules: readonly Rule[]
  /** Every rule whose FROM covers the topic. */
  match(topic: string): readonly Rule[]
  named(name: string): Rule | undefined
  /** Lets every sink finish what was handed over. */
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
      const sinks = rules.flatMap(({ sinks, errorSink }) => (errorSink ? [...sinks, errorSink] : sinks))
      await Promise.all(sinks.map((sink) => sink.stop?.()))
    },
  }
}
