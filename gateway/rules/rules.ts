// The rules in use and their change while messages flow: a whole new set or the old one, nothing in between.
import type { Clock } from '../../lib/clock.ts'
import { readAndWatch } from '../../lib/watch.ts'
import { textOf } from '../errors.ts'
import { createCondition } from '../observe/condition.ts'
import type { Observe } from '../observe/observe.ts'
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
  /** false: evaluate statements without the fast paths. Default: true. */
  readonly fastPaths?: boolean
}

/** Rejects with RULE_INVALID when the directory has anything wrong in it. Later, a broken file leaves the old set running and says so. */
export async function createRules(dir: string, { bind, observe, clock, signal, fastPaths = true }: RulesOptions): Promise<Rules> {
  const outdated = createCondition({ observe, clock }, { target: dir, code: 'RULE_INVALID' })
  const polled = createCondition({ observe, clock }, { target: `watch of ${dir}`, code: 'WATCH_FAILED' })
  // Replaced sets still finish what was handed to their sinks.
  const retired = new Set<Promise<void>>()
  let current: RuleSet | undefined

  const use = (next: RuleSet) => {
    const before = current
    current = next
    outdated.clear()
    observe.record('rule.loaded', { count: next.rules.length, detail: dir })
    for (const { name, warnings } of next.rules) {
      for (const detail of warnings) observe.record('rule.warned', { rule: name, detail })
    }
    if (!before) return
    const done = before.stop().finally(() => retired.delete(done))
    retired.add(done)
  }
  const reject = (error: unknown) => {
    const detail = textOf(error)
    observe.record('rule.rejected', { code: 'RULE_INVALID', detail })
    outdated.raise({ detail: `the rules in use are older than their files: ${detail}` })
  }
  const rules = await readAndWatch({
    pathsOf: () => [`${dir}/`],
    read: () => readRules(dir, { fastPaths }),
    use(loaded) {
      try {
        use(bindRules(loaded, bind))
      } catch (error) {
        reject(error)
      }
    },
    reject,
    polled: (why) => (why === undefined ? polled.clear() : polled.raise({ detail: why })),
    ...{ clock, signal },
  })
  use(bindRules(rules, bind))

  return {
    current: () => current!,
    async stop() {
      await Promise.all([current!.stop(), ...retired])
    },
  }
}
