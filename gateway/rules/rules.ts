// The rules in use and their change while messages flow: a whole new set or the old one, nothing in between.
import type { Clock } from '../../lib/clock.ts'
import { textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { watchJson } from '../watch.ts'
import { type Bind, bindRules, readRules } from './load.ts'
import type { RuleSet } from './rule-set.ts'

export interface Rules {
  readonly current: () => RuleSet
  stop(): Promise<void>
}

export interface RulesOptions {
  readonly bind: Bind
  readonly observe: Observe
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Rejects with RULE_INVALID when the directory has anything wrong in it. Later, a broken file leaves the old set running and says so. */
export async function createRules(dir: string, { bind, observe, clock, signal }: RulesOptions): Promise<Rules> {
  let current = bindRules(await readRules(dir), bind)
  const loaded = () => {
    observe.record('rule.loaded', { count: current.rules.length, detail: dir })
    for (const { name, warnings } of current.rules) {
      for (const detail of warnings) observe.record('rule.warned', { rule: name, detail })
    }
  }
  loaded()
  // Replaced sets still finish what was handed to their sinks.
  const retired = new Set<Promise<void>>()

  const reload = async () => {
    try {
      const before = current
      current = bindRules(await readRules(dir), bind)
      loaded()
      const done = before.stop().finally(() => retired.delete(done))
      retired.add(done)
    } catch (error) {
      observe.record('rule.rejected', { code: 'RULE_INVALID', detail: textOf(error) })
    }
  }
  void watchJson({ dir, clock, signal, reload })

  return {
    current: () => current,
    async stop() {
      await Promise.all([current.stop(), ...retired])
    },
  }
}
